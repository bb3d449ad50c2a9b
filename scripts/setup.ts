/**
 * Makes sure that this machine has a WebGPU adapter, before the tasks that need one. Silent and quick where it has.
 * On Debian and Ubuntu it installs Mesa's Vulkan drivers (among them llvmpipe, which needs no GPU) as root or through
 * a sudo that asks no password; elsewhere it says what to install.
 * Not responsible for opening the device with the limits that kernels need (`src/gpu/device.ts`).
 *
 * Run by `deno task setup`. With `--check` it only checks, and exits 1 where there is no adapter.
 * @module
 */

const PACKAGES = ["mesa-vulkan-drivers", "libvulkan1"];
const APT_GET = "/usr/bin/apt-get";
const SUDO = "/usr/bin/sudo";

/** What to do by hand, by `ID` or `ID_LIKE` of os-release(5), else by `Deno.build.os`. */
const REMEDIES: Readonly<Record<string, string>> = {
  debian: `run 'apt-get install ${PACKAGES.join(" ")}' as root`,
  ubuntu: `run 'apt-get install ${PACKAGES.join(" ")}' as root`,
  fedora: "run 'dnf install mesa-vulkan-drivers vulkan-loader' as root",
  rhel: "run 'dnf install mesa-vulkan-drivers vulkan-loader' as root",
  suse: "run 'zypper install libvulkan1 libvulkan_lvp Mesa-vulkan-device-select' as root",
  arch: "run 'pacman -S vulkan-icd-loader vulkan-swrast' (or your GPU's vulkan-* driver) as root",
  alpine: "run Deno where glibc is (a Debian container, say), with mesa-vulkan-drivers installed",
  linux: "install your distribution's Vulkan loader and Mesa's Vulkan drivers",
  darwin: "update macOS: WebGPU needs Metal, which every Mac since 2012 has",
  windows: "update the GPU's driver; inside WSL, install Mesa's Vulkan drivers in the Linux distribution",
};

if (import.meta.main) Deno.exit(await main(Deno.args));

/** Returns the exit status. */
async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--check")) return await hasAdapter() ? 0 : 1;
  preferVulkan();
  if (await hasAdapter()) return 0;
  const systems = systemNames();
  const remedy = REMEDIES[systems.find((name) => name in REMEDIES) ?? "linux"];
  let obstacle = "";
  if (systems.includes("debian") || systems.includes("ubuntu")) {
    obstacle = await install();
    // A process that has looked for drivers once does not see new ones: look from a new process.
    if (obstacle === "" && await checkInNewProcess("vulkan")) return 0;
    if (obstacle === "") {
      obstacle = "the drivers are installed, yet none of them offers an adapter";
    }
  }
  if (Deno.build.os === "linux" && await checkInNewProcess("gl")) {
    console.error(
      `setup: no Vulkan driver (${obstacle || "none found"}): going on with OpenGL; better ${remedy}`,
    );
    return 0;
  }
  console.error(
    `error: Cannot find a WebGPU adapter on this machine${obstacle && `: ${obstacle}`}; ${remedy}, then try again.`,
  );
  return 1;
}

/** Whether WebGPU offers an adapter that opens. */
async function hasAdapter(): Promise<boolean> {
  try {
    const adapter = await navigator.gpu?.requestAdapter();
    const device = await adapter?.requestDevice();
    device?.destroy();
    return device !== undefined;
  } catch {
    return false;
  }
}

/** On Linux, looks for Vulkan drivers only, unless the user chose: OpenGL is the last resort. */
function preferVulkan(): void {
  if (Deno.build.os !== "linux" || Deno.env.get("DENO_WEBGPU_BACKEND")) return;
  Deno.env.set("DENO_WEBGPU_BACKEND", "vulkan");
}

/** Runs this file with `--check` in a process of its own, with one WebGPU backend. */
async function checkInNewProcess(backend: string): Promise<boolean> {
  const { success } = await new Deno.Command("deno", {
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      "--no-lock",
      import.meta.filename!,
      "--check",
    ],
    env: { DENO_WEBGPU_BACKEND: backend },
    stdout: "null",
    stderr: "null",
  }).output();
  return success;
}

/** `ID` and `ID_LIKE` of os-release(5), most specific first, then the kernel's name. */
function systemNames(): string[] {
  const names: string[] = [];
  try {
    const text = Deno.readTextFileSync("/etc/os-release");
    for (const key of ["ID", "ID_LIKE"]) {
      const value = text.match(new RegExp(`^${key}=["']?([^"'\\n]*)`, "m"))?.[1] ?? "";
      names.push(...value.split(" ").filter((name) => name !== ""));
    }
  } catch {
    // Not a Linux distribution that says what it is.
  }
  return [...names, Deno.build.os];
}

/** Installs the packages with apt-get. Returns why it could not, or nothing when it could. */
async function install(): Promise<string> {
  const root = Deno.uid() === 0;
  if (!root && !(await run([SUDO, "-n", "true"])).success) {
    return "installing the driver needs root, or a sudo that asks no password";
  }
  // sudo drops the variables of its caller, so they are named once more.
  const command = root ? [APT_GET] : [SUDO, "-n", "DEBIAN_FRONTEND=noninteractive", APT_GET];
  const options = ["-qq", "-o", "DPkg::Lock::Timeout=300"];
  console.error(
    `setup: no WebGPU adapter here: installing ${PACKAGES.join(" and ")} with apt-get (it may take a minute)`,
  );
  // A failed update of one list does not matter where the packages install all the same.
  const update = await run([...command, ...options, "update"]);
  const result = await run([
    ...command,
    ...options,
    "install",
    "-y",
    "--no-install-recommends",
    ...PACKAGES,
  ]);
  if (result.success) return "";
  const why = [result.said, update.said].map((text) => {
    const lines = text.trim().split("\n");
    return lines.find((line) => /^[EW]:/.test(line)) ?? lines.at(-1)!;
  });
  return `apt-get could not install the driver (${why.filter((line) => line !== "").join("; ")})`;
}

/** Runs a command without input. A command that is not there counts as failed. */
async function run(
  command: readonly string[],
): Promise<{ success: boolean; said: string }> {
  try {
    const { success, stderr } = await new Deno.Command(command[0], {
      args: command.slice(1),
      env: { DEBIAN_FRONTEND: "noninteractive" },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).output();
    return { success, said: new TextDecoder().decode(stderr) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      return { success: false, said: `${command[0]} is missing` };
    }
    throw error;
  }
}
