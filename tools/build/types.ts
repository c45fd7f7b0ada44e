// Declarations of the library, by tsc.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';

/** Writes dist/types. Throws an Error with tsc's words where the library's types do not compile. */
export async function emitTypes(root: string): Promise<void> {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const project = join(root, 'tools/build/tsconfig.json');
  const child = spawn(process.execPath, [tsc, '-p', project, '--pretty', 'false'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let words = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    words += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  if (code !== 0) throw new Error(`the library's types do not compile:\n${words}`);
}
