import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ledHtml, linksOf } from './links.ts';

const PREFIX = '/api/v1/namespaces/a/pods/web/proxy';
const links = linksOf({ prefix: PREFIX, own: '10.0.0.7:80', asked: 'api:6443' });

describe('where links of a proxied program lead', () => {
  for (const [url, to] of [
    ['/', `${PREFIX}/`],
    ['/a/b/?c=/d#e', `${PREFIX}/a/b/?c=/d#e`],
    [`${PREFIX}/a`, `${PREFIX}/a`],
    ['a/b', 'a/b'],
    ['', ''],
    ['?c=d', '?c=d'],
    ['mailto:me@example.com', 'mailto:me@example.com'],
    ['http://10.0.0.7:80/a', `${PREFIX}/a`],
    ['//10.0.0.7:80/a', `${PREFIX}/a`],
    ['https://api:6443/a', `https://api:6443${PREFIX}/a`],
    ['https://example.com/a', 'https://example.com/a'],
    ['//example.com/a', '//example.com/a'],
  ] as const) {
    it(`"${url}"`, () => assert.equal(links(url), to));
  }
});

async function led(html: string, bytes = html.length): Promise<string> {
  const all = Buffer.from(html);
  async function* chunks() {
    for (let at = 0; at < all.length; at += bytes) yield all.subarray(at, at + bytes);
  }
  const out: Uint8Array[] = [];
  for await (const chunk of ledHtml(chunks(), links)) out.push(chunk);
  return Buffer.concat(out).toString();
}

describe('HTML of a proxied program', () => {
  const cases: readonly [html: string, led: string][] = [
    ['<a href="/x">test</a>', `<a href="${PREFIX}/x">test</a>`],
    ["<A class=x HREF='/x?a=1&amp;b=2' >ü</A>", `<A class=x HREF="${PREFIX}/x?a=1&amp;b=2" >ü</A>`],
    ['<img src=/x.png alt=/y>', `<img src="${PREFIX}/x.png" alt=/y>`],
    ['<input disabled src="/x"/>', `<input disabled src="${PREFIX}/x"/>`],
    ['<a data-href="/x" title="/y">', '<a data-href="/x" title="/y">'],
    ['<p href="/x"> 1 < 2 <3', '<p href="/x"> 1 < 2 <3'],
    ['<!-- <a href="/x"> --><a href="/x">', `<!-- <a href="/x"> --><a href="${PREFIX}/x">`],
    [
      '<script src="/x">"<a href=\'/y\'>"</script><a href="/z">',
      `<script src="${PREFIX}/x">"<a href='/y'>"</script><a href="${PREFIX}/z">`,
    ],
    ['<a href="/never', '<a href="/never'],
    ['<style>a > b', '<style>a > b'],
  ];
  for (const [html, to] of cases) {
    it(html, async () => {
      for (const bytes of [html.length + 2, 1, 3, 7]) assert.equal(await led(html, bytes), to, `${bytes} at a time`);
    });
  }

  it('holds little back', async () => {
    const long = 'x'.repeat(200_000);
    assert.equal(await led(`<a title="${long}`, 1_000), `<a title="${long}`);
    const script = `<script>"${long}<a href='/y'>"</script>`;
    assert.equal(await led(`${script}<a href="/z">`, 1_000), `${script}<a href="${PREFIX}/z">`);
  });
});
