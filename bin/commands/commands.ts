// Every subcommand of `tutti`, each loaded when it is wanted: a start does not wait for what it does not use.

import metadata from '../../package.json' with { type: 'json' };

export interface Command {
  readonly summary: string;
  /** Words that may follow at once (`token create`), for completion. */
  readonly verbs?: readonly string[];
  /** Whether it takes files as words, for completion. */
  readonly files?: boolean;
  load(): Promise<LoadedCommand>;
}

export interface LoadedCommand {
  /** What `--help` prints; its options begin their lines with two blanks. */
  readonly usage: string;
  /** Takes the words after the command's name; resolves with the exit code. Throws `CommandError`. */
  run(args: readonly string[]): Promise<number>;
}

export const COMMANDS: Readonly<Record<string, Command>> = {
  up: {
    summary: 'start a cluster on this machine',
    load: async () => {
      const { up, USAGE } = await import('./up.ts');
      return { usage: USAGE, run: up };
    },
  },
  server: {
    summary: 'start a control plane that nodes of other machines join',
    load: async () => {
      const { server, USAGE } = await import('./server.ts');
      return { usage: USAGE, run: server };
    },
  },
  agent: {
    summary: 'make this machine a node of a cluster',
    load: async () => {
      const { agent, USAGE } = await import('./agent.ts');
      return { usage: USAGE, run: agent };
    },
  },
  stop: {
    summary: 'end what runs',
    load: async () => {
      const { stop, USAGE } = await import('./stop.ts');
      return { usage: USAGE, run: stop };
    },
  },
  reset: {
    summary: 'take away everything that Tutti made on this machine',
    load: async () => {
      const { reset, USAGE } = await import('./reset.ts');
      return { usage: USAGE, run: reset };
    },
  },
  status: {
    summary: 'what runs, and how it is',
    load: async () => {
      const { status, USAGE } = await import('./status.ts');
      return { usage: USAGE, run: status };
    },
  },
  history: {
    summary: 'the cluster as it was, and what has changed since',
    verbs: ['at', 'diff'],
    load: async () => {
      const { history, USAGE } = await import('./history.ts');
      return { usage: USAGE, run: history };
    },
  },
  kubeconfig: {
    summary: 'the file with which clients reach the cluster',
    load: async () => {
      const { kubeconfig, USAGE } = await import('./kubeconfig.ts');
      return { usage: USAGE, run: kubeconfig };
    },
  },
  token: {
    summary: 'let other machines join',
    verbs: ['create', 'list', 'delete'],
    load: async () => {
      const { token, USAGE } = await import('./token.ts');
      return { usage: USAGE, run: token };
    },
  },
  node: {
    summary: 'the machines of the cluster',
    verbs: ['list', 'drain', 'remove'],
    load: async () => {
      const { node, USAGE } = await import('./node.ts');
      return { usage: USAGE, run: node };
    },
  },
  image: {
    summary: 'the images on this machine’s node',
    verbs: ['list', 'pull', 'import', 'remove'],
    files: true,
    load: async () => {
      const { image, USAGE } = await import('./image.ts');
      return { usage: USAGE, run: image };
    },
  },
  'test-env': {
    summary: 'a simulated cluster for tests in any language',
    load: async () => {
      const { testEnv, USAGE } = await import('./test-env.ts');
      return { usage: USAGE, run: testEnv };
    },
  },
  dev: {
    summary: 'a cluster from a clone’s sources, started anew on every save',
    load: async () => {
      const { dev, USAGE } = await import('./dev.ts');
      return { usage: USAGE, run: dev };
    },
  },
  version: {
    summary: 'print the version',
    load: async () => {
      const { version, USAGE } = await import('./version.ts');
      return { usage: USAGE, run: version };
    },
  },
  completion: {
    summary: 'let a shell complete command lines',
    verbs: ['bash', 'zsh', 'fish'],
    load: async () => {
      const { completion, USAGE } = await import('./completion.ts');
      return { usage: USAGE, run: completion };
    },
  },
};

/** What `tutti --help` prints. */
export function usage(): string {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length)) + 3;
  const lines = Object.entries(COMMANDS).map(([name, { summary }]) => `  tutti ${name.padEnd(width)}${summary}\n`);
  return `tutti ${metadata.version}: Kubernetes in TypeScript

usage:
${lines.join('')}
"tutti COMMAND --help" says more, with examples.
`;
}
