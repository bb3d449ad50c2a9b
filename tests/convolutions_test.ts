/** Every case of the convolutions in the registry, see `ops_test.ts` for the other operations. */
import { OPERATIONS } from "../src/ops/registry.ts";
import { isConvolution, testOperations } from "./ops_support.ts";

testOperations(OPERATIONS.filter(isConvolution));
