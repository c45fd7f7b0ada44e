import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { RealClock } from '../../libs/base/node/real-clock.ts';
import { pump } from '../../libs/streaming/channel.ts';
import { dialPortForward, dialRemoteCommand } from '../../libs/streaming/node/dial.ts';
import {
  acceptPortForward,
  acceptRemoteCommand,
  type Upgrade,
  upgradeKind,
} from '../../libs/streaming/node/upgrade.ts';
import { bridgePortForward, localPortForwarder } from '../../libs/streaming/portforward.ts';
import { bridge, exitStatus, type RemoteCommandSession } from '../../libs/streaming/remotecommand.ts';
import { RunningProgram, type RunResult, run, until } from '../harness/process.ts';
import { findKubectl, requires } from '../harness/requirements.ts';

const clock = new RealClock();
const bytes = (s: string): Uint8Array => new TextEncoder().encode(s);

const POD = {
  kind: 'Pod',
  apiVersion: 'v1',
  metadata: { name: 'web', namespace: 'default', uid: 'u' },
  spec: { containers: [{ name: 'main', image: 'x', stdin: true }] },
  status: { phase: 'Running' },
};

const DOCUMENTS: Record<string, object> = {
  '/api': { kind: 'APIVersions', versions: ['v1'] },
  '/apis': { kind: 'APIGroupList', apiVersion: 'v1', groups: [] },
  '/api/v1': {
    kind: 'APIResourceList',
    groupVersion: 'v1',
    resources: [{ name: 'pods', singularName: 'pod', namespaced: true, kind: 'Pod', verbs: ['get', 'list'] }],
  },
  '/api/v1/namespaces/default/pods/web': POD,
};

/** The command in the pod: says what it got, and ends with the code 3 once its input has ended. */
async function command(session: RemoteCommandSession): Promise<void> {
  let length = 0;
  if (session.stdin) {
    for (let chunk = await session.stdin.read(); chunk; chunk = await session.stdin.read()) {
      length += chunk.length;
      await session.stdout?.write(chunk);
    }
  }
  await session.stderr?.write(bytes(`${length} bytes\n`));
  await session.finish(exitStatus(3));
}

/** Port 7 echoes; nobody listens elsewhere. */
const pod = () =>
  localPortForwarder(async (port, data) => {
    if (port !== 7) throw new Error(`nobody listens on ${port}`);
    await pump(data.source, data.sink);
  });

// An unmodified kubectl, an API server of one pod, and behind it, as in a cluster, a kubelet that it dials with SPDY.
for (const transport of ['websocket', 'spdy'] as const) {
  describe(`kubectl over ${transport}`, requires('kubectl'), () => {
    const kinds = new Set<string | undefined>();
    const sockets = new Set<Duplex>();
    let folder: string;
    let server: ReturnType<typeof createServer>;
    let base: string;

    before(async () => {
      folder = mkdtempSync(join(tmpdir(), 'kubectl-'));
      server = createServer((request, response) => {
        const document = DOCUMENTS[new URL(request.url ?? '/', 'http://x').pathname];
        response.writeHead(document ? 200 : 404, { 'content-type': 'application/json' });
        response.end(JSON.stringify(document ?? { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 404 }));
      });
      server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
        sockets.add(socket);
        socket.on('error', () => {});
        serve({ request, socket, head }).catch(() => socket.destroy());
      });
      await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
      base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      writeFileSync(
        join(folder, 'config'),
        JSON.stringify({
          apiVersion: 'v1',
          kind: 'Config',
          'current-context': 'c',
          contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
          clusters: [{ name: 'c', cluster: { server: base } }],
          users: [{ name: 'u', user: {} }],
        }),
      );
    });
    after(() => {
      for (const socket of sockets) socket.destroy();
      server?.close();
      rmSync(folder, { recursive: true, force: true });
    });

    async function serve(upgrade: Upgrade): Promise<void> {
      const url = new URL(upgrade.request.url ?? '/', base);
      const asked = (name: string) => url.searchParams.get(name) === 'true';
      const options = { stdin: asked('stdin'), stdout: asked('stdout'), stderr: asked('stderr'), tty: asked('tty') };
      const behind = `${base}/kubelet${url.pathname.slice(url.pathname.lastIndexOf('/'))}${url.search}`;
      const isKubelet = url.pathname.startsWith('/kubelet/');
      if (!isKubelet) kinds.add(upgradeKind(upgrade.request));
      if (url.pathname.endsWith('/portforward')) {
        const forwarder = isKubelet ? pod() : await dialPortForward({ url: behind }, { clock });
        return bridgePortForward(await acceptPortForward(upgrade, { clock }), forwarder);
      }
      if (isKubelet) return command(await acceptRemoteCommand(upgrade, options, { clock }));
      const streams = await dialRemoteCommand({ url: behind }, options, { clock });
      return bridge(await acceptRemoteCommand(upgrade, options, { clock }), streams);
    }

    const websockets = transport === 'websocket' ? 'true' : 'false';
    const env = () => ({
      HOME: folder,
      KUBECONFIG: join(folder, 'config'),
      KUBERC: 'off',
      KUBECTL_REMOTE_COMMAND_WEBSOCKETS: websockets,
      KUBECTL_PORT_FORWARD_WEBSOCKETS: websockets,
    });
    const kubectl = (args: string[], input?: string): Promise<RunResult> =>
      run([findKubectl() as string, ...args], {
        env: env(),
        check: false,
        timeoutMs: 30_000,
        ...(input !== undefined && { input }),
      });

    test('exec: input to its end, both outputs, the exit code', async () => {
      const result = await kubectl(['exec', '-i', 'web', '--', 'copy'], 'hello\n');
      assert.deepEqual([result.stdout, result.code], ['hello\n', 3]);
      assert.match(result.stderr, /^6 bytes\ncommand terminated with exit code 3/);
      assert.deepEqual([...kinds], [transport]);
    });

    test('exec without input', async () => {
      const result = await kubectl(['exec', 'web', '--', 'copy']);
      assert.equal(result.code, 3, result.stderr);
      assert.equal(result.stdout, '');
      assert.match(result.stderr, /^0 bytes\n/);
    });

    test('exec: megabytes both ways', async () => {
      const input = 'all work and no play\n'.repeat(200_000);
      const result = await kubectl(['exec', '-i', 'web', '--', 'copy'], input);
      assert.equal(result.stdout.length, input.length);
      assert.match(result.stderr, new RegExp(`^${input.length} bytes\n`));
    });

    test('attach', async () => {
      const result = await kubectl(['attach', '-i', 'web'], 'to the container\n');
      assert.match(result.stdout, /to the container\n$/);
    });

    test('port-forward: many connections, and an error that is shown', async () => {
      await using forward = new RunningProgram([findKubectl() as string, 'port-forward', 'pod/web', ':7', ':81'], {
        env: env(),
      });
      const ports = await until('it listens', async () => {
        const found = [...forward.output.matchAll(/Forwarding from 127\.0\.0\.1:(\d+) -> (\d+)/g)];
        return found.length === 2 && Object.fromEntries(found.map(([, local, remote]) => [remote, Number(local)]));
      });
      const talk = (port: number, said: string): Promise<string> =>
        new Promise((resolve) => {
          const socket = connect(port, '127.0.0.1');
          let heard = '';
          socket.setEncoding('utf8');
          socket.on('data', (part: string) => {
            heard += part;
          });
          socket.on('error', () => {});
          socket.on('close', () => resolve(heard));
          socket.end(said);
        });
      const said = Array.from({ length: 12 }, (_, i) => `line ${i} `.repeat(20_000));
      assert.deepEqual(await Promise.all(said.map((line) => talk(ports['7'] as number, line))), said);
      assert.equal(await talk(ports['81'] as number, 'anybody?'), '');
      await until('the error is shown', async () => /nobody listens on 81/.test(forward.output));
    });
  });
}
