import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countAreas, withAreas } from './table.ts';

const document = `words

<!-- areas: written by npm run fidelity -- --write -->

| area | same | but for wording | differ | same of all |
| --- | ---: | ---: | ---: | ---: |
| read | 7 | 0 | 3 | 70 % |

<!-- end of areas -->
more
`;

test('cases are counted by area, and areas that were not played keep their row', () => {
  const areas = countAreas(
    [
      { id: 'defaults/pods/a', verdict: 'same', diff: [] },
      { id: 'defaults/pods/b', verdict: 'wording', diff: [] },
      { id: 'defaults/nodes/a', verdict: 'differs', diff: [] },
    ],
    1,
  );
  assert.deepEqual(areas, [{ area: 'defaults', same: 1, wording: 1, differs: 1 }]);
  const written = withAreas(document, areas);
  assert.match(written, /\| defaults \| 1 \| 1 \| 1 \| 33 % \|\n\| read \| 7 \| 0 \| 3 \| 70 % \|\n\n<!-- end/);
  assert.equal(withAreas(written, areas), written);
  assert.match(written, /^words[\s\S]*more\n$/);
});

test('a document without the marks is refused', () => {
  assert.throws(() => withAreas('nothing', []), /no place for the table/);
});
