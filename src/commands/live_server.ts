/**
 * Serves the live page of a run to browsers on this machine alone, and lets them read nothing but that. Pages of other
 * places that a browser has open get nothing: neither by a name of theirs that leads here (the host must be ours), nor by
 * a request across origins. Not responsible for what the page shows.
 * @module
 */
import { platform } from "../platform/platform.ts";
import { exists } from "../base/files.ts";
import { VERSION } from "../base/version.ts";
import { liveRun } from "../report/live.ts";
import { livePage, liveScript, type LiveUpdate } from "../report/live_view.ts";
import { METRICS_FILE } from "../run/metrics_file.ts";
import type { RunFolder } from "../run/run_folder.ts";

/** The one address that it listens on. */
export const LIVE_HOST = "127.0.0.1";

const HEADERS = {
  "cache-control": "no-store",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
} as const;

function answer(status: number, body: string, type = "text/plain", more: Record<string, string> = {}): Response {
  return new Response(body, { status, headers: { ...HEADERS, "content-type": `${type}; charset=utf-8`, ...more } });
}

/** Why a request is refused; undefined for one of our own page. @param port that we listen on */
function refusal({ method, headers }: Request, port: number): Response | undefined {
  const hosts = [`${LIVE_HOST}:${port}`, `localhost:${port}`], origin = headers.get("origin");
  if (method !== "GET" && method !== "HEAD") return answer(405, "read only", "text/plain", { allow: "GET, HEAD" });
  if (!hosts.includes(headers.get("host") ?? "")) return answer(403, "another host");
  if (origin !== null && !hosts.some((host) => origin === `http://${host}`)) return answer(403, "another origin");
  return undefined;
}

/** A server of one run's live page. */
export class LiveServer implements AsyncDisposable {
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  #progress: LiveUpdate["progress"];
  #changes = 0;
  /** What the files said when the metrics had this size. */
  #read: { readonly size: number; readonly update: Promise<LiveUpdate> } | undefined;

  /** Listens. @param port 0: any that is free */
  constructor(readonly folder: RunFolder, port: number) {
    this.#server = Deno.serve({ hostname: LIVE_HOST, port, onListen: () => {} }, (request) => this.#serve(request));
  }

  /** The page's address. */
  get address(): string {
    return `http://${LIVE_HOST}:${this.#server.addr.port}/`;
  }

  /** Says where a run of this process is. */
  tell(progress: LiveUpdate["progress"]): void {
    this.#progress = progress;
    this.#changes++;
  }

  async #serve(request: Request): Promise<Response> {
    const refused = refusal(request, this.#server.addr.port);
    if (refused) return refused;
    const { pathname } = new URL(request.url);
    if (pathname === "/") return answer(200, livePage(this.folder.path, VERSION), "text/html");
    if (pathname === "/live.js") return answer(200, liveScript(), "text/javascript");
    if (pathname === "/live.json") return await this.#update(request.headers.get("if-none-match"));
    return answer(404, "not found");
  }

  async #update(seen: string | null): Promise<Response> {
    const metrics = this.folder.file(METRICS_FILE);
    const size = !this.folder.begun ? -1 : exists(metrics) ? platform().files.stat(metrics).size : 0;
    const etag = `"${size}.${this.#changes}"`;
    if (seen === etag) return new Response(null, { status: 304, headers: HEADERS });
    if (this.#read?.size !== size) {
      this.#read = { size, update: size < 0 ? Promise.resolve({ news: "The run begins." }) : liveRun(this.folder) };
    }
    try {
      const update = await this.#read.update, progress = this.#progress ?? update.progress;
      return answer(200, JSON.stringify({ ...update, progress }), "application/json", { etag });
    } catch (error) {
      this.#read = undefined;
      return answer(200, JSON.stringify({ news: error instanceof Error ? error.message : error }), "application/json");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}
