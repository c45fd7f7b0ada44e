import type { SendHandle } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';

/**
 * Runs inside a host and makes sockets there for the test, which gets the open descriptor: a socket stays in the network
 * namespace it was made in, whichever process uses it. Ends when the test does. The other half is sockets.ts.
 */
export type AgentRequest =
  | {
      readonly id: number;
      readonly make: 'connection';
      readonly port: number;
      readonly address: string;
      readonly timeoutMs: number;
    }
  | { readonly id: number; readonly make: 'listener'; readonly port: number; readonly address: string }
  | { readonly id: number; readonly make: 'datagrams'; readonly port: number; readonly address: string };

export interface AgentAnswer {
  readonly id: number;
  readonly error?: { readonly code: string; readonly message: string };
}

function answer(id: number, handle: SendHandle, after: () => void): void {
  process.send!({ id } satisfies AgentAnswer, handle, {}, after);
}

function refuse(id: number, error: NodeJS.ErrnoException): void {
  process.send!({ id, error: { code: error.code ?? '', message: error.message } } satisfies AgentAnswer);
}

function serve(request: AgentRequest): void {
  const { id, port, address } = request;
  switch (request.make) {
    case 'connection': {
      const socket = connect({ host: address, port, timeout: request.timeoutMs, allowHalfOpen: true });
      // Not one byte may be read here: it would be missing there.
      socket.pause();
      socket.once('error', (error) => refuse(id, error));
      socket.once('timeout', () => {
        socket.destroy(Object.assign(new Error(`connect ETIMEDOUT ${address}:${port}`), { code: 'ETIMEDOUT' }));
      });
      socket.once('connect', () => {
        socket.setTimeout(0);
        answer(id, socket, () => {});
      });
      return;
    }
    case 'listener': {
      const server = createServer({ pauseOnConnect: true });
      server.once('error', (error) => refuse(id, error));
      // Closed here once it is there, so that every connection is accepted there.
      server.listen({ host: address, port, backlog: 1024 }, () => answer(id, server, () => server.close()));
      return;
    }
    case 'datagrams': {
      const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
      socket.once('error', (error) => refuse(id, error));
      socket.bind({ port, address, exclusive: true }, () => answer(id, socket, () => socket.close()));
    }
  }
}

process.on('message', (message) => serve(message as AgentRequest));
process.on('disconnect', () => process.exit(0));
process.send!({ id: 0 } satisfies AgentAnswer);
