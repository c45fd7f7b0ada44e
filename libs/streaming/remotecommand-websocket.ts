import type { Clock } from '../base/clock.ts';
import { type ByteSink, readAll } from './channel.ts';
import {
  type ExitStatus,
  formatStatus,
  parseStatus,
  REMOTE_COMMAND_PROTOCOLS,
  type RemoteCommandOptions,
  type RemoteCommandProtocol,
  type RemoteCommandSession,
  type RemoteCommandStreams,
  terminalSizeSink,
  terminalSizes,
} from './remotecommand.ts';
import { ChannelSocket, type MessageSocket } from './websocket-channels.ts';

/**
 * Exec and attach over a WebSocket: one channel each for stdin, stdout, stderr, error and resize. Since v4 the error
 * channel carries a `Status` in JSON; v5 adds the signal by which a client closes stdin.
 */
const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const;

/** How long the peer may take to answer a close frame. */
const LINGER_MS = 5_000;

/**
 * How long a client of v5 has had the connection before it is told that the command is connected. client-go (v1.32 for
 * one) begins to read before it has made its streams, and complains of a message that is quicker.
 */
const CONNECTED_MS = 50;

/** The subprotocols a server takes for exec and attach, best first; with `base64.` before `channel` as text frames. */
export const REMOTE_COMMAND_SUBPROTOCOLS: readonly string[] = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v4.base64.channel.k8s.io',
  'channel.k8s.io',
  'base64.channel.k8s.io',
];

/** What a dialling client offers, best first. */
export const REMOTE_COMMAND_DIAL_SUBPROTOCOLS: readonly string[] = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];

function meaning(subprotocol: string): { protocol: RemoteCommandProtocol; encoding: 'binary' | 'base64' } {
  const encoding = subprotocol.includes('base64.') ? 'base64' : 'binary';
  const plain = subprotocol.replace('base64.', '');
  const protocol = REMOTE_COMMAND_PROTOCOLS.find((known) => known === plain) ?? 'channel.k8s.io';
  return { protocol, encoding };
}

/** The server's end of an accepted WebSocket. All streams are there at once. */
export function acceptWebSocketRemoteCommand(
  socket: MessageSocket,
  options: RemoteCommandOptions,
  clock: Clock,
): RemoteCommandSession {
  const { protocol, encoding } = meaning(socket.protocol);
  const channels = new ChannelSocket(socket, {
    encoding,
    closeSignal: protocol === 'v5.channel.k8s.io',
    reads: [...(options.stdin ? [CHANNEL.stdin] : []), ...(options.tty ? [CHANNEL.resize] : [])],
  });
  channels.start();
  // Some clients take the first message, empty as it is, as the sign that the command is connected.
  const first = options.stdout ? CHANNEL.stdout : options.stderr && !options.tty ? CHANNEL.stderr : CHANNEL.error;
  const sign = () =>
    void channels
      .sink(first)
      .write(new Uint8Array(0))
      .catch(() => {});
  const later = protocol === 'v5.channel.k8s.io' ? clock.setTimer(sign, CONNECTED_MS) : undefined;
  if (later === undefined) sign();
  void channels.closed.then(() => later?.cancel());
  // Whatever is said is a sign as well.
  const sink = (channel: number): ByteSink => {
    const { write, ...rest } = channels.sink(channel);
    return {
      ...rest,
      write: (chunk) => {
        later?.cancel();
        return write(chunk);
      },
    };
  };
  const stdout = options.stdout ? sink(CHANNEL.stdout) : undefined;
  const stderr = options.stderr && !options.tty ? sink(CHANNEL.stderr) : undefined;
  const error = sink(CHANNEL.error);
  let finished: Promise<void> | undefined;
  const finish = async (status: ExitStatus): Promise<void> => {
    const text = formatStatus(status, protocol);
    try {
      if (text !== '') await error.write(new TextEncoder().encode(text));
      await channels.close();
    } catch {
      // The client has gone; there is nobody left to tell.
    }
    const timer = clock.setTimer(() => channels.destroy(), LINGER_MS);
    void channels.closed.then(() => timer.cancel());
  };
  return {
    ...(options.stdin && { stdin: channels.source(CHANNEL.stdin) }),
    ...(stdout && { stdout: withoutEnd(stdout) }),
    ...(stderr && { stderr: withoutEnd(stderr) }),
    ...(options.tty && { resize: terminalSizes(channels.source(CHANNEL.resize)) }),
    finish: (status) => (finished ??= finish(status)),
    closed: channels.closed,
  };
}

/** Output ends with the connection: clients do not expect a close signal from the server. */
function withoutEnd(sink: ByteSink): ByteSink {
  return { ...sink, end: async () => {} };
}

/** The client's end of an opened WebSocket. Without v5 `stdin.end` cannot reach the command. */
export function dialWebSocketRemoteCommand(socket: MessageSocket, options: RemoteCommandOptions): RemoteCommandStreams {
  const { protocol, encoding } = meaning(socket.protocol);
  const reads: number[] = [CHANNEL.error];
  if (options.stdout) reads.push(CHANNEL.stdout);
  if (options.stderr && !options.tty) reads.push(CHANNEL.stderr);
  const channels = new ChannelSocket(socket, { encoding, closeSignal: protocol === 'v5.channel.k8s.io', reads });
  channels.start();
  const status = (async () => {
    const text = new TextDecoder().decode(await readAll(channels.source(CHANNEL.error)));
    return parseStatus(text, protocol);
  })();
  status.catch(() => {});
  return {
    ...(options.stdin && { stdin: channels.sink(CHANNEL.stdin) }),
    ...(options.stdout && { stdout: channels.source(CHANNEL.stdout) }),
    ...(options.stderr && !options.tty && { stderr: channels.source(CHANNEL.stderr) }),
    ...(options.tty && { resize: terminalSizeSink(channels.sink(CHANNEL.resize)) }),
    status,
    close: (reason) => channels.destroy(reason),
  };
}
