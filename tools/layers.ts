// Which part of the tree may use what, as data. `npm run check` holds every file to it (tools/check/), by its syntax
// tree and not by its text, and proves the result by building every engine for the browser.
//
// The three laws of ARCHITECTURE.md stand behind the rows: components do not know each other, only `libs/base/node`
// and a few drivers touch the machine, and a kind's folder can be loaded without its controller.
//
// To add a folder, add a row. To need one more import, ask first whether the thing imported belongs in `libs/`.

/** One row: a part of the tree and what its files may use. The row with the longest matching `folder` rules a file. */
export type Layer = {
  /** A folder from the root; `*` stands for one folder name. Each folder that matches is a layer of its own. */
  readonly folder: string;
  /**
   * The layers that its files may import, as patterns of their `folder`; a file may always import its own layer.
   * `libs/*` includes neither `libs/base/node` nor any deeper layer: a deeper layer is named, or it is not allowed.
   */
  readonly imports: readonly string[];
  /** npm packages that only do computing are in `PURE_PACKAGES`; others are named here. */
  readonly packages?: readonly string[];
  /** May its files import `node:` modules and use the globals of `tools/check/globals.ts`? Default: neither. */
  readonly host?: boolean;
  /** Must it bundle for a browser? Default: yes, unless `host` or `program`. Say why where it is false. */
  readonly browser?: boolean;
  /** Programs that run under Node and that nothing is built from: every package, `node:` modules, globals, state. */
  readonly program?: boolean;
};

/** Packages that neither read a clock nor touch the machine: allowed everywhere. */
export const PURE_PACKAGES: readonly string[] = ['js-yaml', 're2js', 'fast-json-patch', '@marcbachmann/cel-js'];

/** Modules of Node whose types a contract may speak of; `import type` leaves nothing behind when the program runs. */
export const NODE_TYPES: readonly string[] = ['node:stream'];

/** Files with a memo in their module: what they give is frozen and never depends on who asked before. */
export const PURE_MEMOS: readonly string[] = ['api/schema/builtin.ts'];

const LIBS = ['libs/*'];
const EVERYTHING_BELOW_BIN = [
  'libs/*',
  'libs/*/node',
  'api',
  'api/*/*',
  'api/*/*/controller',
  'control-plane/store',
  'control-plane/store/drivers/*',
  'control-plane/store/drivers/etcd/dial',
  'control-plane/*',
  'control-plane/apiserver/connect',
  'control-plane/apiserver/serve',
  'node/*',
  'node/cri/dial',
  'node/kubelet/dial',
  'node/kubelet/server',
  'addons/*',
];
const EVERYTHING = [...EVERYTHING_BELOW_BIN, 'testing', 'bin', 'tools', 'tests', 'bench', '.'];

export const LAYERS: readonly Layer[] = [
  // The ground: nothing below it.
  { folder: 'libs/base', imports: [] },
  // The real clock, randomness, keys and host.
  { folder: 'libs/*/node', imports: LIBS, host: true, packages: ['ws', 'jose', 'pino'] },
  // Fakes of the ground, for tests and for simulated nodes.
  { folder: 'libs/testing', imports: ['libs/base', 'libs/base/node', 'libs/machinery'], host: true },
  { folder: 'libs/machinery', imports: ['libs/base'] },
  { folder: 'libs/kind', imports: ['libs/base', 'libs/machinery', 'libs/metrics'] },
  { folder: 'libs/client', imports: ['libs/base', 'libs/machinery', 'libs/kind', 'libs/metrics'] },
  // Schemas of custom resources, with their rules.
  { folder: 'libs/structural-schema', imports: ['libs/base', 'libs/machinery', 'libs/cel'] },
  { folder: 'libs/*', imports: ['libs/base', 'libs/machinery'] },

  // Kinds. Another kind's types, defaults and validation may be shared; only controllers know controllers.
  { folder: 'api', imports: [...LIBS, 'api/*/*'] },
  { folder: 'api/*/*', imports: [...LIBS, 'api', 'api/*/*'], packages: ['croner'] },
  { folder: 'api/*/*/controller', imports: [...LIBS, 'api', 'api/*/*', 'api/*/*/controller'], packages: ['croner'] },

  // The control plane. Only the API server knows the store.
  { folder: 'control-plane/store', imports: ['libs/base', 'libs/machinery'] },
  { folder: 'control-plane/store/drivers/*', imports: ['libs/base', 'libs/machinery', 'control-plane/store'] },
  {
    folder: 'control-plane/store/drivers/lmdb',
    imports: ['libs/base', 'libs/machinery', 'control-plane/store'],
    packages: ['lmdb'],
    browser: false, // a native add-on
  },
  {
    folder: 'control-plane/store/drivers/etcd',
    imports: ['libs/base', 'libs/grpc', 'control-plane/store'],
  },
  // The sockets to a real etcd.
  {
    folder: 'control-plane/store/drivers/etcd/dial',
    imports: [...LIBS, 'libs/*/node', 'control-plane/store/drivers/etcd'],
    host: true,
  },
  // Sockets, TLS and HTTP: the one part of the API server that knows the network.
  { folder: 'control-plane/apiserver/serve', imports: ['libs/*', 'control-plane/apiserver'], host: true },
  // What carries logs, exec and proxies on to nodes and pods.
  {
    folder: 'control-plane/apiserver/connect',
    imports: ['libs/*', 'libs/*/node', 'control-plane/apiserver', 'control-plane/apiserver/serve'],
    host: true,
  },
  { folder: 'control-plane/apiserver', imports: [...LIBS, 'api', 'api/*/*', 'control-plane/store'] },
  { folder: 'control-plane/scheduler', imports: [...LIBS, 'api', 'api/*/*'] },
  { folder: 'control-plane/controller-manager', imports: [...LIBS, 'api', 'api/*/*', 'api/*/*/controller'] },

  // The node. kubelet speaks to the runtime and to the network through their clients.
  { folder: 'node/cri', imports: LIBS },
  // The sockets to a real container runtime.
  { folder: 'node/cri/dial', imports: [...LIBS, 'libs/*/node', 'node/cri'], host: true },
  { folder: 'node/cni', imports: LIBS },
  { folder: 'node/kubelet', imports: [...LIBS, 'api', 'api/*/*', 'node/cri', 'node/cni'], browser: false },
  // Its own server, and the sockets of probes and hooks.
  {
    folder: 'node/kubelet/server',
    imports: [...LIBS, 'libs/*/node', 'api', 'api/*/*', 'node/cri', 'node/kubelet', 'node/kubelet/*'],
    host: true,
  },
  { folder: 'node/kubelet/dial', imports: [...LIBS, 'libs/*/node', 'node/kubelet'], host: true },
  { folder: 'node/*', imports: [...LIBS, 'api', 'api/*/*'] },

  { folder: 'addons/*', imports: [...LIBS, 'api', 'api/*/*'] },
  { folder: 'addons/dns', imports: [...LIBS, 'api', 'api/*/*'], packages: ['dns-packet'], browser: false },

  // What puts the parts together.
  { folder: 'testing', imports: EVERYTHING_BELOW_BIN, browser: false }, // it may choose LMDB and sockets
  { folder: '.', imports: [...EVERYTHING_BELOW_BIN, 'testing'], browser: false }, // index.ts: the library's entry
  { folder: 'bin', imports: EVERYTHING, program: true },
  { folder: 'entry', imports: ['.', 'bin'], program: true }, // chooses between the source and the bundle
  { folder: 'tools', imports: EVERYTHING, program: true },
  { folder: 'tests', imports: EVERYTHING, program: true },
  { folder: 'bench', imports: EVERYTHING, program: true },
  { folder: 'examples', imports: EVERYTHING, program: true },
];

/**
 * Tests beside the code, and the contract suites that several of them share (`conformance.ts`, `conformance/`), run
 * under Node and never ship in an engine: they may use `node:` modules, globals and every package, and besides what
 * their layer may import, the real clock and host and the simulated cluster.
 */
export const TEST_FILE = /(?:\.test|\.bench)\.ts$|\/conformance(?:\/|\.ts$)/;
export const TEST_IMPORTS: readonly string[] = [
  'libs/*',
  'libs/*/node',
  'testing',
  'tools',
  'tests',
  'control-plane/store/drivers/*',
  'control-plane/store/drivers/etcd/dial',
];

/** No file of source is longer, generated ones aside. */
export const FILE_LINES_MAX = 700;
