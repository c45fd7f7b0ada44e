import { describe, it } from 'node:test';
import type { Case } from './cases.ts';
import { failureCases } from './failures.ts';
import { lifetimeCases } from './lifetime.ts';
import { listCases } from './lists.ts';
import { modelCases } from './model.ts';
import type { StoreUnderTest } from './under-test.ts';
import { watchCases } from './watches.ts';
import { writeCases } from './writes.ts';

const GROUPS: readonly (readonly [string, readonly Case[]])[] = [
  ['writes', writeCases],
  ['lists', listCases],
  ['watches', watchCases],
  ['failures', failureCases],
  ['lifetime', lifetimeCases],
  ['model', modelCases],
];

/**
 * Everything that `store.ts` promises, as cases that every driver passes unchanged. `open` gives an empty store for each
 * case. Cases for what a driver does not offer (`reopen`, `commits`) are skipped by name.
 *
 *     storeConformance('memory', async () => ({ store, pass, [Symbol.asyncDispose]: () => store.close() }));
 */
export function storeConformance(
  name: string,
  open: () => Promise<StoreUnderTest>,
  options: { skip?: string } = {},
): void {
  describe(`${name} keeps the store's contract`, { skip: options.skip }, () => {
    for (const [group, cases] of GROUPS) {
      describe(group, () => {
        for (const one of cases) {
          it(one.name, async (t) => {
            await using under = await open();
            if (one.needs !== undefined && under[one.needs] === undefined) t.skip(`this driver offers no ${one.needs}`);
            else await one.run(under);
          });
        }
      });
    }
  });
}
