/**
 * A registry like JSR's, small enough for tests: `JSR_URL` names it, `deno publish` puts a package there, and `jsr:`
 * specifiers get it back. It speaks the part of JSR's protocol that Deno uses, and refuses what JSR's server refuses of
 * a package (jsr-io/jsr, `api/src/tarball.rs` and `analysis.rs`): it sees the archive only, never the folder that it
 * was made of. Not responsible for accounts, scores, documentation and the npm form of packages.
 * @module
 */
import { readTar } from "../src/data/tar.ts";

/** The most bytes that a package may have, all files together (JSR's own limit). */
const MOST_BYTES = 20 * 1024 * 1024;

/** How old what is published seems: Deno takes nothing that is younger than a day unless told to. */
const DAYS_OLD = 2;

const TYPES: Readonly<Record<string, string>> = {
  ts: "application/typescript",
  js: "application/javascript",
  json: "application/json",
  md: "text/markdown",
};

/** A version of a package, as it is served. */
interface Version {
  readonly files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
  readonly meta: unknown;
  readonly createdAt: string;
}

/** A package as one takes it apart: path from its root, beginning with a slash, and content. */
type Files = Map<string, Uint8Array<ArrayBuffer>>;

/** What `deno info --json` says of a module. */
interface ModuleInfo {
  readonly specifier: string;
  readonly error?: string;
  readonly dependencies?: readonly {
    readonly specifier: string;
    readonly assertionType?: string;
    readonly code?: { readonly specifier?: string; readonly error?: string };
    readonly type?: { readonly specifier?: string; readonly error?: string };
  }[];
}

/** Why a package is refused. */
class Refusal extends Error {
  /** @param code as JSR names it */
  constructor(readonly code: string, message: string) {
    super(message);
  }
}

/** A registry on 127.0.0.1. */
export class JsrRegistry {
  readonly #packages = new Map<string, Map<string, Version>>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #folder: string;

  /** @param folder where it takes packages apart; it is emptied again */
  constructor(folder: string) {
    this.#folder = folder;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.#answer(request),
    );
  }

  /** Its address, for `JSR_URL`. */
  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/`;
  }

  /** Files of a version, paths from its root. */
  files(name: string, version: string): string[] {
    return [...this.#packages.get(name)?.get(version)?.files.keys() ?? []].sort();
  }

  /** Ends it. */
  async close(): Promise<void> {
    await this.#server.shutdown();
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const api = /^\/api\/scopes\/([\w-]+)\/packages\/([\w-]+)(?:\/versions\/([\w.+-]+))?$/.exec(pathname);
    if (api !== null) {
      const [, scope, name, version] = api;
      if (version === undefined) return Response.json({ scope, name });
      if (request.method === "GET") {
        return this.#packages.get(`@${scope}/${name}`)?.has(version)
          ? Response.json({ scope, name, version })
          : notFound();
      }
      return Response.json(await this.#publish(request, `@${scope}/${name}`, version, searchParams.get("config")!));
    }
    const served = /^(\/@[\w-]+\/[\w-]+)\/(.+)$/.exec(pathname);
    return served === null ? notFound() : this.#serve(served[1].slice(1), served[2]);
  }

  #serve(name: string, rest: string): Response {
    const versions = this.#packages.get(name);
    if (versions === undefined) return notFound();
    if (rest === "meta.json") {
      const [scope, short] = name.slice(1).split("/"), all = [...versions];
      return Response.json({
        scope,
        name: short,
        latest: all.at(-1)![0],
        versions: Object.fromEntries(all.map(([version, { createdAt }]) => [version, { createdAt }])),
      });
    }
    const meta = /^([^/]+)_meta\.json$/.exec(rest);
    if (meta !== null) return versions.has(meta[1]) ? Response.json(versions.get(meta[1])!.meta) : notFound();
    const [version, ...path] = rest.split("/"), bytes = versions.get(version)?.files.get(`/${path.join("/")}`);
    if (bytes === undefined) return notFound();
    const type = TYPES[rest.slice(rest.lastIndexOf(".") + 1)] ?? "application/octet-stream";
    return new Response(bytes, { headers: { "content-type": type } });
  }

  /** Takes a package, or not. @returns the task that the client waits for, which is over */
  async #publish(request: Request, name: string, version: string, config: string): Promise<unknown> {
    const id = crypto.randomUUID();
    try {
      if (request.headers.get("authorization") !== "Bearer test") throw new Refusal("unauthorized", "unknown token");
      const files = await unpack(request.body!);
      const exports = readConfig(files, config, name, version);
      await this.#checkGraph(files, exports);
      const versions = this.#packages.get(name) ?? new Map<string, Version>();
      if (versions.has(version)) throw new Refusal("duplicateVersion", `${name}@${version} is there already`);
      const manifest = await Promise.all([...files].map(async ([path, bytes]) => {
        const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
        return [path, { size: bytes.length, checksum: `sha256-${sum}` }];
      }));
      const meta = { manifest: Object.fromEntries(manifest), exports };
      this.#packages.set(
        name,
        versions.set(version, { files, meta, createdAt: new Date(Date.now() - DAYS_OLD * 86_400_000).toISOString() }),
      );
      return { id, status: "success" };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return { id, status: "failure", error: { code: error.code, message: error.message } };
    }
  }

  /** Refuses modules that are not in the package, and imports that JSR knows nothing of. */
  async #checkGraph(files: Files, exports: Readonly<Record<string, string>>): Promise<void> {
    const folder = Deno.makeTempDirSync({ dir: this.#folder });
    try {
      for (const [path, bytes] of files) {
        Deno.mkdirSync(folder + path.slice(0, path.lastIndexOf("/")), { recursive: true });
        Deno.writeFileSync(folder + path, bytes);
      }
      for (const entry of Object.values(exports)) {
        if (!files.has(entry.replace(/^\./, ""))) {
          throw new Refusal("configFileExportsInvalid", `there is no '${entry}' in the package`);
        }
        for (const module of await modulesOf(`${folder}/${entry}`)) checkModule(module, `file://${folder}`, files);
      }
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  }
}

/** The modules that `file` leads to. Nothing outside the package is asked for, and its deno.json is not heeded. */
async function modulesOf(file: string): Promise<ModuleInfo[]> {
  const { code, stdout, stderr } = await new Deno.Command("deno", {
    args: ["info", "--json", "--no-config", "--no-lock", "--no-npm", "--no-remote", file],
    stdin: "null",
  }).output();
  if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout)).modules;
}

function checkModule({ specifier, error, dependencies = [] }: ModuleInfo, root: string, files: Files): void {
  const path = specifier.replace(root, "");
  if (specifier.startsWith("file:")) {
    if (error !== undefined) throw new Refusal("graphError", error.replace(root, ""));
    if (!specifier.startsWith(`${root}/`) || !files.has(path)) {
      throw new Refusal("graphError", `there is no '${path}' in the package`);
    }
    const text = new TextDecoder().decode(files.get(path)!);
    if (/^\/\/\/\s*<reference\s+(lib|no-default-lib)\s*=/m.test(text)) {
      throw new Refusal("bannedTripleSlashDirectives", `'${path}' has a directive that changes the types of its users`);
    }
    if (/^\s*declare\s+(global\s*\{|module\s+["'])/m.test(text)) {
      throw new Refusal("globalTypeAugmentation", `'${path}' changes global types`);
    }
  }
  for (const { specifier: asked, assertionType, code, type } of dependencies) {
    const target = code?.specifier ?? type?.specifier, why = code?.error ?? type?.error;
    if (assertionType !== undefined && assertionType !== "json") {
      throw new Refusal("graphError", `'${path}' imports '${asked}' with the unsupported type "${assertionType}"`);
    }
    if (target === undefined) throw new Refusal("graphError", `'${path}' imports '${asked}': ${why}`);
    const scheme = target.slice(0, target.indexOf(":"));
    if (!["file", "data", "node", "npm", "jsr"].includes(scheme)) {
      throw new Refusal("invalidExternalImport", `'${path}' imports '${asked}', which is no package`);
    }
    if (scheme === "npm" && !/^npm:\/?(@[^/]+\/)?[^/@]+@[^/]/.test(target)) {
      throw new Refusal("npmMissingConstraint", `'${path}' imports '${asked}' of any version`);
    }
  }
}

/** The files of an archive. */
async function unpack(body: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<Files> {
  const bytes = await new Response(body.pipeThrough(new DecompressionStream("gzip"))).bytes();
  const files: Files = new Map(), lower = new Set<string>();
  let total = 0;
  for (const { name, data } of readTar(bytes, "the package")) {
    const path = `/${name.replace(/^\.?\//, "")}`;
    if (!/^(\/[\w!$()+@~.-]+)+$/.test(path) || path.split("/").some((part) => /^\.+$/.test(part))) {
      throw new Refusal("invalidPath", `'${path}' is no path that every system takes`);
    }
    if (lower.has(path.toLowerCase())) throw new Refusal("caseInsensitiveDuplicatePath", `'${path}' is there twice`);
    if ((total += data.length) > MOST_BYTES) {
      throw new Refusal("packageTooLarge", `it has more than ${MOST_BYTES} bytes`);
    }
    lower.add(path.toLowerCase());
    files.set(path, new Uint8Array(data));
  }
  return files;
}

/** What a package exports, by its configuration, which has to fit what is published. */
function readConfig(files: Files, path: string, name: string, version: string): Record<string, string> {
  const bytes = files.get(path);
  if (bytes === undefined) throw new Refusal("missingConfigFile", `there is no '${path}' in the package`);
  const config = JSON.parse(new TextDecoder().decode(bytes));
  if (config.name !== name || config.version !== version) {
    throw new Refusal("configFileMismatch", `'${path}' is of ${config.name}@${config.version}`);
  }
  if (config.license === undefined && !files.has("/LICENSE")) throw new Refusal("missingLicense", "it has no licence");
  return typeof config.exports === "string" ? { ".": config.exports } : config.exports;
}

function notFound(): Response {
  return new Response("not found", { status: 404 });
}
