import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { credentialsFor, repositoryOf } from './credentials.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const secret = (auths: object) => ({ metadata: {}, data: { '.dockerconfigjson': base64(JSON.stringify({ auths })) } });
const me = { username: 'me', password: 'word' };

describe('credentials of pull secrets', () => {
  for (const [image, repository] of [
    ['nginx', 'docker.io/library/nginx'],
    ['team/app:1', 'docker.io/team/app'],
    ['localhost/app', 'localhost/app'],
    ['10.0.0.1:5000/app:1', '10.0.0.1:5000/app'],
    ['quay.io/team/app@sha256:00', 'quay.io/team/app'],
  ] as const) {
    test(`${image} is ${repository}`, () => assert.equal(repositoryOf(image), repository));
  }

  const cases: readonly [string, string, string, boolean][] = [
    ['the hub by its old address', 'https://index.docker.io/v1/', 'nginx:1', true],
    ['a host', 'quay.io', 'quay.io/team/app', true],
    ['a host with its port', '10.0.0.1:5000', '10.0.0.1:5000/app', true],
    ['another port', '10.0.0.1:5001', '10.0.0.1:5000/app', false],
    ['a path', 'quay.io/team', 'quay.io/team/app', true],
    ['another path', 'quay.io/other', 'quay.io/team/app', false],
    ['a star for one part', '*.example.org', 'eu.example.org/app', true],
    ['and not for two', '*.example.org', 'a.eu.example.org/app', false],
  ];
  for (const [what, key, image, fits] of cases) {
    test(`${what}: ${key} for ${image}`, () => {
      assert.deepEqual(credentialsFor(image, [secret({ [key]: me })]), fits ? [me] : []);
    });
  }

  test('the longest path first, of all secrets; a password may hold a colon; what cannot be read has none', () => {
    const given = credentialsFor('quay.io/team/app', [
      { metadata: {}, data: { '.dockerconfigjson': 'no' } },
      { metadata: {}, data: { '.dockercfg': base64(JSON.stringify({ 'quay.io': { auth: base64('old:a:b') } })) } },
      secret({ 'quay.io/team': me }),
    ]);
    assert.deepEqual(given, [me, { username: 'old', password: 'a:b' }]);
  });
});
