/** What expressions that make JSON patches have besides. */
import { declare, type Library } from '../declare.ts';

export const jsonPatchLibrary: Library = [
  ...declare('jsonpatch.escapeKey', [
    '(string) string',
    'jsonpatch_escapeKey_string',
    (key: string) => key.replaceAll('~', '~0').replaceAll('/', '~1'),
  ]),
];
