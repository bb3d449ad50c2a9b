/**
 * Packs what a machine without any network needs into one archive: Deno, the program, its npm packages, a Vulkan loader,
 * Mesa's software driver with the libraries that it needs besides the C library, and a runner (deploy/offline/idarts).
 * For Linux; the machine that it goes to needs a C library as new as this one's, `tar` and `xz`, nothing else.
 *
 *     deno task pack            writes .cache/pack/idarts-VERSION-linux-ARCH.tar.xz
 *
 * Not responsible for GPUs' drivers, which belong to the machine that has the GPU. scripts/try_pack.sh tries an archive.
 * @module
 */

const ROOT = new URL("../", import.meta.url), OUT = ".cache/pack";
const { version, name } = JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT)));
const TITLE = `${name.split("/")[1]}-${version}-linux-${Deno.build.arch}`, FOLDER = `${OUT}/${TITLE}`;

/** Largest archive. */
const MOST_BYTES = 60 * 2 ** 20;

/** Files and folders of the program. */
const PROGRAM = [
  "cli.ts",
  "idarts.ts",
  "graph.ts",
  "types.ts",
  "src",
  "deno.json",
  "deno.lock",
  "README.md",
  "LICENSE",
];

/** Libraries of the system that goes with every Linux: the pack must not bring its own. */
const OF_THE_SYSTEM = /^(ld-linux.*|libc|libm|libdl|libpthread|librt)\.so/;

/**
 * Libraries that LLVM links for what a driver never does (a solver, and XML for Windows' manifests, with 31 MiB of
 * Unicode tables behind it): small ones with the same symbols, which end the program, take their places.
 */
const STAND_INS: Readonly<Record<string, RegExp>> = { "libz3.so.4": /^Z3_/, "libxml2.so.2": /^xml/ };

/** What of the packages nobody runs: maps and types of sources, texts, and the decoder with 64-bit addresses. */
const NOT_RUN = /\.(map|md|d\.[cm]?ts)$|\/dist\/x64\/magick\.wasm$/;

class PackError extends Error {}

/** Runs a program. @returns what it wrote. @throws {PackError} where it fails or is not there */
async function run(program: string, args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const command = new Deno.Command(program, { args: [...args], env, stdin: "null" });
  const { success, stdout, stderr } = await command.output().catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new PackError(`Cannot find ${program}: install it (Debian: apt-get install gcc binutils xz-utils)`);
  });
  if (success) return new TextDecoder().decode(stdout);
  throw new PackError(`Cannot run ${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr).trim()}`);
}

/** Copies a file, or a folder without its tests. */
function copy(from: string, to: string): void {
  if (!Deno.statSync(from).isDirectory) return Deno.copyFileSync(from, to);
  Deno.mkdirSync(to, { recursive: true });
  for (const { name } of Deno.readDirSync(from)) {
    if (!/_test\.ts$/.test(name)) copy(`${from}/${name}`, `${to}/${name}`);
  }
}

/** Removes the files of a folder, and of those in it, that a pattern finds. */
function prune(folder: string, pattern: RegExp): void {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) prune(path, pattern);
    else if (pattern.test(path)) Deno.removeSync(path);
  }
}

/** The libraries that a library names. */
async function needed(library: string): Promise<string[]> {
  return [...(await run("/usr/bin/readelf", ["-d", library])).matchAll(/\(NEEDED\).*\[(.+)\]/g)].map(([, name]) =>
    name
  );
}

/** A library with the symbols that `user` takes from `soname`, in the versions that it asks for. */
async function standIn(soname: string, pattern: RegExp, user: string): Promise<void> {
  const lines = (await run("/usr/bin/nm", ["-D", "--undefined-only", "--with-symbol-versions", user])).split("\n");
  const symbols = lines.map((line) => line.trim().split(/\s+/).at(-1)!.split(/@+/)).filter(([symbol]) =>
    pattern.test(symbol)
  );
  const versions = Map.groupBy(symbols.filter(([, version]) => version), ([, version]) => version);
  const code = symbols.map(([symbol]) => `void ${symbol}(void) { __builtin_trap(); }`).join("\n");
  const script = [...versions].map(([version, of]) => `${version} { global: ${of.map(([s]) => `${s};`).join(" ")} };`);
  Deno.writeTextFileSync(`${OUT}/stand_in.c`, code + "\n");
  Deno.writeTextFileSync(`${OUT}/stand_in.map`, script.join("\n") + "\n");
  const versioned = versions.size > 0 ? [`-Wl,--version-script=${OUT}/stand_in.map`] : [];
  const flags = ["-shared", "-fPIC", "-nostdlib", "-s", "-fno-builtin", `-Wl,-soname,${soname}`, ...versioned];
  await run("/usr/bin/gcc", [...flags, "-o", `${FOLDER}/driver/${soname}`, `${OUT}/stand_in.c`]);
}

/** Puts a library and all that it needs into the driver's folder. */
async function addDriver(library: string): Promise<void> {
  const found = new Map(
    [...(await run("/usr/bin/ldd", [library])).matchAll(/^\s*(\S+) => (\/\S+)/gm)].map((
      [, name, path],
    ) => [name, path]),
  );
  const waiting = [library], known = new Set<string>();
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    Deno.copyFileSync(path, `${FOLDER}/driver/${path.split("/").at(-1)}`);
    for (const soname of await needed(path)) {
      if (OF_THE_SYSTEM.test(soname) || known.has(soname)) continue;
      known.add(soname);
      const at = found.get(soname);
      if (at === undefined) throw new PackError(`Cannot find '${soname}', which '${path}' needs`);
      if (soname in STAND_INS) await standIn(soname, STAND_INS[soname], path);
      else waiting.push(at);
    }
  }
}

/** A library by its name, where Debian and others keep them. @throws {PackError} where there is none */
function libraryAt(name: string): string {
  const folders = [`/usr/lib/${Deno.build.arch}-linux-gnu`, "/usr/lib64", "/usr/lib"];
  const path = folders.map((folder) => `${folder}/${name}`).find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
  if (path) return path;
  throw new PackError(`Cannot find ${name}: install Mesa's Vulkan drivers ('deno task setup' does it on Debian)`);
}

async function pack(): Promise<void> {
  if (Deno.build.os !== "linux") throw new PackError(`Cannot pack on ${Deno.build.os}: use Linux`);
  await Deno.remove(FOLDER, { recursive: true }).catch(() => {});
  for (const folder of ["app", "bin", "cache", "driver", "loader"]) {
    Deno.mkdirSync(`${FOLDER}/${folder}`, { recursive: true });
  }
  for (const path of PROGRAM) copy(path, `${FOLDER}/app/${path}`);
  copy("deploy/offline/idarts", `${FOLDER}/idarts`);
  Deno.copyFileSync(Deno.execPath(), `${FOLDER}/bin/deno`);
  await run("deno", ["cache", "--quiet", "--frozen", `${FOLDER}/app/cli.ts`], {
    DENO_DIR: `${Deno.cwd()}/${FOLDER}/cache`,
  });
  for (const { name } of Deno.readDirSync(`${FOLDER}/cache`)) {
    if (name !== "npm") Deno.removeSync(`${FOLDER}/cache/${name}`, { recursive: true }); // made again where it runs
  }
  prune(`${FOLDER}/cache`, NOT_RUN);
  Deno.copyFileSync(libraryAt("libvulkan.so.1"), `${FOLDER}/loader/libvulkan.so.1`);
  const driver = "libvulkan_lvp.so", manifest = { library_path: `./${driver}`, api_version: "1.3.230" };
  await addDriver(libraryAt(driver));
  Deno.writeTextFileSync(
    `${FOLDER}/driver/lvp_icd.json`,
    JSON.stringify({ file_format_version: "1.0.0", ICD: manifest }, null, 2) + "\n",
  );
  const archive = `${OUT}/${TITLE}.tar.xz`, compressor = "xz --x86 --lzma2=preset=6,dict=128MiB";
  const plain = ["--sort=name", "--owner=0", "--group=0", "--numeric-owner"];
  await run("/usr/bin/tar", [...plain, "-I", compressor, "-cf", archive, "-C", OUT, TITLE]);
  const { size } = Deno.statSync(archive), mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  console.log(`${archive}: ${mib(size)}`);
  if (size > MOST_BYTES) throw new PackError(`Cannot use '${archive}' as it must be at most ${mib(MOST_BYTES)}`);
}

if (import.meta.main) {
  try {
    await pack();
  } catch (error) {
    if (!(error instanceof PackError)) throw error;
    console.error(`error: ${error.message}`);
    Deno.exit(1);
  }
}
