import assert from "node:assert/strict";
import { FailureError } from "./errors.ts";
import {
  aBoolean,
  aMeasurement,
  aText,
  checkShape,
  listOf,
  mapping,
  mappingOf,
  nullable,
  oneOf,
  optional,
  type Shape,
  shape,
  whole,
} from "./shape.ts";

interface Thing {
  readonly name: string;
  readonly size: number;
  readonly loss: number;
  readonly on: boolean;
  readonly kind: "a" | "b";
  readonly parts: readonly { readonly share: number | null }[];
  readonly notes?: Readonly<Record<string, string>>;
}

const THING: Shape<Thing> = mapping<Thing>({
  name: aText,
  size: whole(1, 9),
  loss: aMeasurement,
  on: aBoolean,
  kind: oneOf("a", "b"),
  parts: listOf(mapping<{ share: number | null }>({ share: nullable(shape("a number", Number.isFinite)) })),
  notes: optional(mappingOf(aText)),
});
const GOOD = { name: "x", size: 1, loss: null, on: false, kind: "b", parts: [{ share: 1 }, { share: null }] };

Deno.test("shapes: what has the shape comes back as it is", () => {
  for (const value of [GOOD, { ...GOOD, notes: { a: "b" }, more: 1 }, JSON.parse(JSON.stringify(GOOD))]) {
    assert.equal(checkShape(THING, value, "'t.json'"), value);
  }
});

Deno.test("shapes: the first field that is wrong is named, with what it must be and what it is", () => {
  const refuse = (change: unknown, must: string) => {
    const value = typeof change === "object" && change !== null && !Array.isArray(change)
      ? { ...GOOD, ...change }
      : change;
    assert.throws(() => checkShape(THING, value, "'t.json'"), (error: Error) => {
      assert.ok(error instanceof FailureError);
      const tail = ": the file is damaged or of another program";
      assert.equal(error.message, `Cannot use 't.json' as ${must}${tail}`);
      return true;
    });
  };
  refuse(null, "it must be a mapping and is null");
  refuse([1], "it must be a mapping and is a list of 1");
  refuse({ name: undefined }, "its name must be a text and is missing");
  refuse({ name: 3 }, "its name must be a text and is 3");
  refuse({ size: 10 }, "its size must be a whole number from 1 to 9 and is 10");
  refuse({ size: 1.5 }, "its size must be a whole number from 1 to 9 and is 1.5");
  refuse({ loss: "1" }, "its loss must be a number or null and is '1'");
  refuse({ on: 1 }, "its on must be true or false and is 1");
  refuse({ kind: "c" }, "its kind must be one of a, b and is 'c'");
  refuse({ parts: { length: 0 } }, "its parts must be a list and is a mapping");
  refuse({ parts: [{ share: 1 }, null] }, "its parts[1] must be a mapping and is null");
  refuse({ parts: [{ share: NaN }] }, "its parts[0].share must be a number and is NaN");
  refuse({ notes: { "a\nb": 1 } }, "its notes['a\ufffdb'] must be a text and is 1");
  const inherited = Object.assign(Object.create({ name: "x" }), { ...GOOD, name: undefined });
  delete inherited.name;
  assert.throws(() => checkShape(THING, inherited, "'t.json'"), /its name must be a text and is missing/);
  assert.throws(() => checkShape(listOf(whole(), 2), [1], "'l'"), /it must be a list of 2 and is a list of 1/);
});
