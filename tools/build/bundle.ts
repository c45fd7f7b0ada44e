// The bundles of the published package.

import { type BuildOptions, build } from 'esbuild';

/** What one bundle was made from (paths from the root) and into; outputs as a person wants to see them. */
export type Bundle = {
  readonly inputs: readonly string[];
  readonly outputs: readonly { path: string; bytes: number }[];
};

/** Packages with native add-ons, which find their binary beside their own files: dependencies of the package. */
export const EXTERNAL: readonly string[] = ['lmdb'];

const SHARED: BuildOptions = {
  bundle: true,
  platform: 'node',
  target: 'node24',
  external: [...EXTERNAL],
  legalComments: 'none',
  minifySyntax: true,
  minifyWhitespace: true, // names stay: they show in stacks
  sourcemap: false,
  metafile: true,
  logLevel: 'error',
  charset: 'utf8',
};

/** CommonJS packages inside an ES module ask for Node's modules by `require`, which there is none of. */
const REQUIRE_FOR_ESM =
  "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);";

export async function bundleLibrary(root: string, format: 'esm' | 'cjs'): Promise<Bundle> {
  return bundle(root, {
    entryPoints: { index: 'index.ts' },
    outdir: 'dist',
    format,
    ...(format === 'cjs'
      ? {
          outExtension: { '.js': '.cjs' },
          // CommonJS has the same facts under other names.
          define: {
            'import.meta.dirname': '__dirname',
            'import.meta.filename': '__filename',
            'import.meta.url': '__url',
          },
          banner: { js: "const __url=require('node:url').pathToFileURL(__filename).href;" },
        }
      : {
          outExtension: { '.js': '.mjs' },
          banner: { js: REQUIRE_FOR_ESM },
          splitting: true,
          chunkNames: 'chunks/[name]-[hash]',
        }),
  });
}

export async function bundleCommand(root: string): Promise<Bundle> {
  return bundleProgram(root, { tutti: 'bin/tutti.ts' }, 'dist/bin');
}

/** Programs by name, as the command is bundled; `<name>.mjs` and its chunks go to `outdir`. Paths are from the root. */
export function bundleProgram(root: string, entryPoints: Record<string, string>, outdir: string): Promise<Bundle> {
  return bundle(root, {
    entryPoints,
    outdir,
    format: 'esm',
    outExtension: { '.js': '.mjs' },
    banner: { js: REQUIRE_FOR_ESM },
    splitting: true,
    chunkNames: 'chunks/[name]-[hash]',
  });
}

async function bundle(root: string, options: BuildOptions): Promise<Bundle> {
  const { metafile } = await build({ absWorkingDir: root, ...SHARED, ...options });
  if (metafile === undefined) throw new Error('esbuild gave no metafile');
  return {
    inputs: Object.keys(metafile.inputs),
    outputs: Object.entries(metafile.outputs).map(([path, { bytes }]) => ({ path, bytes })),
  };
}
