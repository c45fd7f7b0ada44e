// The library: what `import … from 'tutti'` gives.
//
// entry/ makes it importable in every way, from a clone and from the published package.

import metadata from './package.json' with { type: 'json' };

export * as resources from './api/resources.ts';
export * from './libs/kind/index.ts';
export { ApiError } from './libs/machinery/errors.ts';
export * from './testing/index.ts';

/** The version of this package, as npm knows it. */
export const version: string = metadata.version;
