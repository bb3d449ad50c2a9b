import assert from "node:assert/strict";
import { UsageError } from "../base/errors.ts";
import { formatYaml } from "../base/options.ts";
import { checkSpace, parseSpace, resolveSpace, type SpaceDefinition, spaceOf } from "./definition.ts";
import { reductionCells, reductionProblem } from "./reductions.ts";
import { alphaCount, DARTS, edgesOf, primitivesOf, S1, softmaxColumns, SPACES } from "./space.ts";

function refuses(read: () => unknown, message: RegExp): void {
  assert.throws(read, (error) => {
    assert.ok(error instanceof UsageError, String(error));
    assert.match(error.message, message);
    assert.match(error.message, /^Cannot use the search space in 'f' as .* must be .*: current value is /);
    assert.doesNotMatch(error.message, /\n|undefined/);
    return true;
  });
}

const MINE = `
name: mine
nodes: 2
primitives:
  normal: [sep_conv_3x3, none, skip_connect]
  reduce:
    - [max_pool_3x3, avg_pool_3x3]
    - [skip_connect, sep_conv_3x3]
    - [skip_connect, dil_conv_3x3]
    - [skip_connect]
    - [noise, sep_conv_3x3]
reduce-at: [1/4, 0.5, 3/4]
`;

Deno.test("a space is read from YAML, and what is written of it is read to the same", () => {
  const definition = parseSpace("f", MINE), space = spaceOf(definition);
  assert.deepEqual([space.name, space.nodes, space.reduceAt], ["mine", 2, ["1/4", 0.5, "3/4"]]);
  assert.deepEqual(space.primitives.slice(0, 4), ["sep_conv_3x3", "none", "skip_connect", "max_pool_3x3"]);
  assert.deepEqual(primitivesOf(space, "normal", 4), ["sep_conv_3x3", "none", "skip_connect"]);
  assert.deepEqual(primitivesOf(space, "reduce", 1), ["sep_conv_3x3", "skip_connect"], "in the order of the space");
  assert.deepEqual(primitivesOf(space, "reduce", 3), ["skip_connect"]);
  assert.equal(alphaCount(space), 5 * 3 + 2 + 2 + 2 + 1 + 2);
  assert.deepEqual(parseSpace("f", formatYaml(definition)), definition);
  assert.deepEqual(checkSpace(JSON.parse(JSON.stringify(definition)), "f"), definition);
});

Deno.test("every built-in space can be written as a definition", () => {
  for (const { name, nodes, primitives, edgePrimitives, skeleton } of SPACES) {
    const shape = { nodes, ...(skeleton ? { skeleton } : {}) };
    const definition: SpaceDefinition = { name: `${name}-again`, ...shape, primitives: edgePrimitives ?? primitives };
    const space = spaceOf(parseSpace("f", formatYaml(definition))), same = resolveSpace(name);
    assert.equal(alphaCount(space), alphaCount(same));
    assert.deepEqual(edgesOf(space), edgesOf(same));
    for (const { index } of edgesOf(space)) {
      for (const kind of ["normal", "reduce"] as const) {
        assert.deepEqual(new Set(primitivesOf(space, kind, index)), new Set(primitivesOf(same, kind, index)));
      }
    }
  }
  assert.equal(softmaxColumns(DARTS, "normal"), null);
  assert.deepEqual(softmaxColumns(S1, "normal")!.slice(0, 2), [[2, 4], [2, 5]]);
});

Deno.test("a list for all edges of all cells is the space without lists per edge", () => {
  const space = spaceOf(parseSpace("f", "{name: x, nodes: 4, primitives: [skip_connect, sep_conv_3x3]}"));
  assert.equal(space.edgePrimitives, undefined);
  const [{ index }] = edgesOf(DARTS);
  assert.deepEqual(primitivesOf(space, "reduce", index), ["skip_connect", "sep_conv_3x3"]);
});

Deno.test("a definition that is wrong is refused by the key, with what it must be", () => {
  const base = parseSpace("f", MINE);
  const bad = (values: Record<string, unknown>): () => unknown => () => checkSpace({ ...base, ...values }, "'f'");
  const reduce = (lists: unknown): () => unknown => bad({ primitives: { normal: ["noise", "none"], reduce: lists } });
  refuses(
    () => checkSpace([], "'f'"),
    /it must be a mapping of name, summary, skeleton, nodes, primitives, reduce-at.*a list$/,
  );
  refuses(() => checkSpace(null, "'f'"), /must be a mapping/);
  refuses(() => parseSpace("f", ""), /its name must be .* missing$/);
  refuses(bad({ primitive: [] }), /each key must be one of name.*'primitive' \(did you mean "primitives"\?\)/);
  refuses(bad({ name: "a b" }), /its name must be up to 40 letters/);
  refuses(bad({ name: "s1" }), /its name must be other than the built-in darts, s1/);
  refuses(bad({ name: 3 }), /its name.*3$/);
  refuses(bad({ summary: "a\nb" }), /its summary must be one line/);
  for (const nodes of [0, 9, 1.5, "2", null, undefined, 1e99]) refuses(bad({ nodes }), /nodes must be a whole number/);
  refuses(bad({ skeleton: "darts" }), /its skeleton must be nas-bench-201, or left out: current value is 'darts'$/);
  const skeleton = "nas-bench-201", primitives = ["none", "noise"];
  refuses(bad({ skeleton, nodes: 5, primitives }), /nodes must be a whole number from 1 to 4/);
  refuses(bad({ skeleton }), /primitives must be a list, as there is one kind of cell in nas-bench-201/);
  refuses(bad({ skeleton, primitives: [primitives] }), /a list for each of the 3 edges of a cell with 2 nodes/);
  refuses(bad({ primitives: undefined }), /primitives must be a list of primitives: current value is missing/);
  refuses(bad({ primitives: "noise" }), /primitives must be a list/);
  refuses(bad({ primitives: [] }), /primitives must be a list/);
  refuses(
    bad({ primitives: ["skip_conect", "none"] }),
    /one of none, .*'skip_conect' \(did you mean "skip_connect"\?\)/,
  );
  refuses(bad({ primitives: ["noise", ["none"]] }), /primitives must be a list for each of the 5 edges .* 2 nodes.*2$/);
  refuses(bad({ primitives: ["noise", "noise"] }), /names each primitive once: current value is 'noise'/);
  refuses(bad({ primitives: ["noise"] }), /at least 2 primitives to choose from/);
  refuses(bad({ primitives: { normal: ["noise", "none"] } }), /primitives of reduce must be a list.*missing/);
  refuses(bad({ primitives: { normal: [], reduction: [] } }), /each key of primitives must be one of normal, reduce/);
  refuses(
    reduce([["noise"], ["noise"], ["noise"], ["noise"]]),
    /primitives of reduce must be a list for each of the 5/,
  );
  refuses(reduce(Array(5).fill(["noise"])), /primitives of reduce must be at least 2 primitives .* on some edge/);
  refuses(reduce([...Array(4).fill(["noise"]), ["none"]]), /of reduce on edge 4 \(2 to 3\) .* other than none/);
  refuses(reduce([...Array(4).fill(["noise"]), "noise"]), /on edge 4 \(2 to 3\) must be a list of primitives/);
  for (
    const places of [[], [1], [-0.1], ["1/0"], ["2/2"], ["1/3", 0.2], [0.5, 0.5], [0.5, 0.5000001], "1/3", [NaN], [
      null,
    ], [
      0.1,
      0.2,
      0.3,
      0.4,
      0.5,
      0.6,
    ]]
  ) refuses(bad({ "reduce-at": places }), /reduce-at must be a list of 1 to 5 rising parts of the depth/);
  const cyclic: unknown[] = [];
  cyclic.push(cyclic, cyclic, cyclic, cyclic, cyclic);
  refuses(bad({ primitives: cyclic }), /a primitive of primitives on edge 0/);
  refuses(bad({ primitives: Array(5).fill(Array(2000).fill("x".repeat(1000))) }), /current value is 'x{60}\.\.\.'$/);
});

Deno.test("reductions stand where parts of the depth say, or it is said why they cannot", () => {
  for (let cells = 3; cells <= 30; cells++) {
    assert.deepEqual(reductionCells(cells), [Math.floor(cells / 3), Math.floor(2 * cells / 3)]);
    assert.deepEqual(reductionCells(cells, ["1/3", "2/3"]), reductionCells(cells));
  }
  assert.deepEqual(reductionCells(20, ["1/4", 0.5, "3/4"]), [5, 10, 15]);
  assert.equal(reductionProblem(3), undefined);
  assert.equal(reductionProblem(2), "it must be at least 3 (one normal, two reductions): current value is 2");
  assert.equal(reductionProblem(2, [0]), undefined);
  assert.match(reductionProblem(4, [0.9, 0.95])!, /^it must be at least 11 \(/);
});
