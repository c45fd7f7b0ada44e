import type { CallOptions, GrpcChannel } from '../../libs/grpc/channel.ts';
import { ProtobufError, ProtobufSchema } from '../../libs/grpc/protobuf.ts';
import type { PortForwarder } from '../../libs/streaming/portforward.ts';
import type { RemoteCommandOptions, RemoteCommandStreams } from '../../libs/streaming/remotecommand.ts';
import { type CriClient, CriError, isNotFound, toCriError } from './cri.ts';
import { type ImageService, METHODS, type Method, type RuntimeService, SOURCE } from './schema.generated.ts';

/** Dials what a runtime's streaming server offers at a URL. */
export interface StreamDialer {
  remoteCommand(
    url: string,
    options: RemoteCommandOptions,
    signal: AbortSignal | undefined,
  ): Promise<RemoteCommandStreams>;
  portForward(url: string, signal: AbortSignal | undefined): Promise<PortForwarder>;
}

export interface CriClientOptions {
  readonly channel: GrpcChannel;
  readonly dialer: StreamDialer;
  /** How long a call may take that does not say so itself. Default two minutes, as a kubelet's `runtimeRequestTimeout`. */
  readonly requestTimeoutMs?: number;
}

export const REQUEST_TIMEOUT_MS = 120_000;

/** What they ask for is true already of what is not there. */
const ENDING_METHODS = [
  'stopContainer',
  'removeContainer',
  'stopPodSandbox',
  'removePodSandbox',
  'removeImage',
] as const;

type Request = Readonly<Record<string, unknown>>;

/** A `CriClient` on a gRPC channel. The channel is closed with it. */
export function createCriClient(options: CriClientOptions): CriClient {
  const schema = new ProtobufSchema(SOURCE);
  const requestTimeoutMs = options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS;
  const calls: Record<string, (request: Request, options?: CallOptions) => unknown> = {};
  for (const [name, method] of Object.entries<Method>(METHODS)) {
    calls[name] = method.streamed
      ? (request, call = {}) => stream(options.channel, schema, name, method, request, call)
      : (request, call = {}) =>
          unary(options.channel, schema, name, method, request, withDeadline(name, request, call, requestTimeoutMs));
  }
  for (const name of ENDING_METHODS) {
    const end = calls[name] as (request: Request, options?: CallOptions) => Promise<object>;
    calls[name] = async (request, call) => {
      try {
        return await end(request, call);
      } catch (error) {
        // containerd 1.6 says so; newer ones agree that what is gone has ended.
        if (isNotFound(error)) return {};
        throw error;
      }
    };
  }
  // The table has exactly the methods of the two services, with their messages.
  const services = calls as unknown as RuntimeService & ImageService;
  const { exec, attach, portForward } = services;
  const dial = async <T>(
    method: string,
    url: Promise<{ url: string }>,
    open: (url: string) => Promise<T>,
  ): Promise<T> => {
    const answer = await url;
    try {
      return await open(answer.url);
    } catch (error) {
      throw new CriError(
        method,
        'UNAVAILABLE',
        `the runtime's streaming server cannot be reached: ${(error as Error).message}`,
        { cause: error },
      );
    }
  };
  return {
    ...services,
    exec: (request, call) =>
      dial('exec', exec(request, call), (url) => options.dialer.remoteCommand(url, request, call?.signal)),
    attach: (request, call) =>
      dial('attach', attach(request, call), (url) => options.dialer.remoteCommand(url, request, call?.signal)),
    portForward: (request, call) =>
      dial('portForward', portForward(request, call), (url) => options.dialer.portForward(url, call?.signal)),
    close: () => options.channel.close(),
  };
}

async function unary(
  channel: GrpcChannel,
  schema: ProtobufSchema,
  name: string,
  method: Method,
  request: Request,
  options: CallOptions,
): Promise<object> {
  try {
    return schema.decode(
      method.response,
      await channel.unary(method.path, encode(schema, name, method, request), options),
    );
  } catch (error) {
    throw wireError(name, error);
  }
}

async function* stream(
  channel: GrpcChannel,
  schema: ProtobufSchema,
  name: string,
  method: Method,
  request: Request,
  options: CallOptions,
): AsyncIterable<object> {
  try {
    const messages = channel.serverStream(method.path, encode(schema, name, method, request), options);
    for await (const message of messages) yield schema.decode(method.response, message);
  } catch (error) {
    throw wireError(name, error);
  }
}

function encode(schema: ProtobufSchema, name: string, method: Method, request: Request): Uint8Array {
  try {
    return schema.encode(method.request, request);
  } catch (error) {
    throw error instanceof ProtobufError ? new CriError(name, 'INVALID_ARGUMENT', error.message) : error;
  }
}

function wireError(name: string, error: unknown): CriError {
  if (error instanceof ProtobufError)
    return new CriError(name, 'INTERNAL', `the runtime's answer cannot be read: ${error.message}`);
  return toCriError(name, error);
}

/** `options` with the deadline that the kind of call has. */
function withDeadline(name: string, request: Request, options: CallOptions, requestTimeoutMs: number): CallOptions {
  if (options.timeoutMs !== undefined) return options;
  switch (name) {
    case 'pullImage':
      return options;
    // Requests that say in seconds how long the work itself may take.
    case 'stopContainer':
    case 'checkpointContainer':
      return { ...options, timeoutMs: requestTimeoutMs + Number(request['timeout'] ?? 0) * 1000 };
    case 'execSync': {
      const timeout = Number(request['timeout'] ?? 0);
      return timeout === 0 ? options : { ...options, timeoutMs: requestTimeoutMs + timeout * 1000 };
    }
    default:
      return { ...options, timeoutMs: requestTimeoutMs };
  }
}
