/**
 * Everything that this package offers in one module: what `deno doc` shows, and what the tests are written against.
 * Programs import its entries: `.` (idarts.ts) to search, train and use networks, `./graph` (graph.ts) to build on what
 * they are made of, `./types` (types.ts) for the names of what results hold.
 * @module
 */
export * from "./idarts.ts";
export * from "./graph.ts";
export * from "./types.ts";
