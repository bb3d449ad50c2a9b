/**
 * The version of this package, which runs and models carry.
 * @module
 */

/** Version of this package. */
export const VERSION = "0.1.0";
