import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { draftBytes, joinDraft, WholeDraft } from './store.ts';

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const whole = (head: string, room: string, tail: string) =>
  new WholeDraft(encode(head + room + tail), encode(head).length, room.length, (revision) => revision);

describe('a draft in one piece', () => {
  for (const { room, revision, copied } of [
    { room: '00', revision: 42, copied: false },
    { room: '0', revision: 42, copied: true },
    { room: '000', revision: 42, copied: true },
  ]) {
    it(`becomes the value with ${revision} in a room of ${room.length}`, () => {
      const bytes = encode(`{"é":"${room}"}`);
      const draft = new WholeDraft(bytes, encode('{"é":"').length, room.length, (made) => made);
      assert.equal(decode(draft.head), '{"é":"');
      assert.equal(decode(draft.tail), '"}');
      assert.equal(draftBytes(draft), draft.head.length + draft.tail.length);
      const value = joinDraft(draft, revision);
      assert.equal(decode(value), '{"é":"42"}');
      assert.equal(value !== bytes, copied);
    });
  }

  it('is given away once', () => {
    const draft = whole('a', '00', 'b');
    const first = joinDraft(draft, 10);
    const second = joinDraft(draft, 11);
    assert.deepEqual([decode(first), decode(second)], ['a10b', 'a11b']);
  });
});
