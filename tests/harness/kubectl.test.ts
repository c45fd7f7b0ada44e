import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Kubectl } from './kubectl.ts';
import { createNetwork } from './namespace.ts';
import { requires } from './requirements.ts';

describe('kubectl', requires('root', 'kubectl'), () => {
  test('runs inside a host and talks to the server of its kubeconfig', async () => {
    await using network = await createNetwork({ hosts: 1 });
    const [host] = network.hosts;
    const server = createServer((request, response) => {
      const found = request.url?.startsWith('/version') === true;
      response.writeHead(found ? 200 : 404, { 'content-type': 'application/json' });
      const { remoteAddress } = request.socket;
      response.end(
        found ? JSON.stringify({ major: '1', minor: '36', gitVersion: `v1.36.0-to-${remoteAddress}` }) : '{}',
      );
    });
    (await network.hub.listen(8001)).on('connection', (socket) => server.emit('connection', socket));
    const kubeconfig = join(network.folder, 'kubeconfig');
    writeFileSync(
      kubeconfig,
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        'current-context': 'test',
        clusters: [{ name: 'test', cluster: { server: 'http://172.30.0.1:8001' } }],
        contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
        users: [{ name: 'test', user: {} }],
      }),
    );
    const kubectl = new Kubectl(host!, { kubeconfig });
    const version = await kubectl.json('version');
    assert.equal(version.serverVersion.gitVersion, `v1.36.0-to-${host!.address}`);
    assert.match(version.clientVersion.gitVersion, /^v1\.\d+/);
    await assert.rejects(kubectl.run('get nonsense'), /code 1/);
    await using watching = kubectl.spawn(['version', '--output=yaml']);
    await watching.waitFor(/serverVersion:/);
    server.closeAllConnections();
  });
});
