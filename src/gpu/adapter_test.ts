/** Adapters as implementations describe them. */
import assert from "node:assert/strict";
import { type AdapterFacts, adapterName, softwareReason } from "./adapter.ts";

Deno.test("adapters: a name that says something, and whether a CPU does the work, whoever tells", () => {
  const driver = "its driver is ", fallback = "the system calls it a fallback adapter";
  const cases: [AdapterFacts, string, string | undefined][] = [
    // Deno 2.9 with Mesa's llvmpipe, as it is
    [
      {
        info: {
          vendor: "65541",
          architecture: "",
          device: "0",
          description: "llvmpipe (LLVM 15.0.6, 256 bits)",
          isFallbackAdapter: true,
        },
      },
      "llvmpipe (LLVM 15.0.6, 256 bits)",
      `${driver}llvmpipe`,
    ],
    // Chromium: SwiftShader, and a GPU
    [
      { info: { vendor: "google", architecture: "swiftshader", device: "", description: "" }, isFallbackAdapter: true },
      "google swiftshader",
      `${driver}swiftshader`,
    ],
    [{ info: { vendor: "nvidia", architecture: "ampere", device: "", description: "" } }, "nvidia ampere", undefined],
    // Dawn under Node
    [
      {
        info: {
          vendor: "google",
          architecture: "swiftshader",
          device: "0xc0de",
          description: "SwiftShader Device (LLVM 10.0.0)",
          isFallbackAdapter: false,
        },
      },
      "SwiftShader Device (LLVM 10.0.0)",
      `${driver}SwiftShader`,
    ],
    [
      { info: { vendor: "microsoft", architecture: "", device: "0x8c" }, isFallbackAdapter: true },
      "microsoft",
      fallback,
    ],
    [
      { info: { description: "Microsoft Basic Render Driver" } },
      "Microsoft Basic Render Driver",
      `${driver}Basic Render`,
    ],
    [{ info: { description: "Null backend" } }, "Null backend", undefined],
    [{ info: { vendor: "4318", device: "9904", description: "NVIDIA H200" } }, "NVIDIA H200", undefined],
    [{ info: { vendor: "", device: "" } }, "an adapter without a name", undefined],
  ];
  for (const [adapter, name, software] of cases) {
    assert.deepEqual([adapterName(adapter), softwareReason(adapter)], [name, software]);
  }
});
