import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pauseProgram } from '../../bin/compose/pause.ts';
import { CACHE } from '../../tools/setup/needs.ts';
import { unpackPackages } from './debian.ts';
import { type Descriptor, type ImageConfig, ImageStore } from './image-store.ts';
import { run } from './process.ts';
import type { TarEntry } from './tar.ts';

/**
 * The images that tests run, made from Debian packages and from the Node that runs the tests, without any container
 * tool. They lie in `.cache/images` and are made once; a changed program or another Node makes its layer anew.
 *
 * | name | what it is |
 * | --- | --- |
 * | `pause:3.10` | the sandbox (pause.ts) |
 * | `busybox` | busybox and glibc; runs `sh` |
 * | `behave` | a container that does what its arguments say: programs/behave.sh |
 * | `kubia`, `kubia:v1` … `v3`, `kubia-unhealthy` | a Node web server that says which pod answered: programs/kubia.mjs |
 * | `nginx`, `nginx:1.27` | Debian's nginx, on port 80 |
 */
export type TestImage = 'pause' | 'busybox' | 'behave' | 'kubia' | 'nginx';

export const PAUSE_IMAGE = 'registry.k8s.io/pause:3.10';
const ALL: readonly TestImage[] = ['pause', 'busybox', 'behave', 'kubia', 'nginx'];
const PROGRAMS = join(import.meta.dirname, 'programs');
const imagesFolder = (): string => join(CACHE, 'images');

type Entries = Map<string, TarEntry>;

/** Debian is merging `/bin` into `/usr/bin` and so on; in the images it has done so, whatever the packages say. */
function merged(path: string): string {
  return /^(bin|sbin|lib|lib64)\//.test(path) ? `usr/${path}` : path;
}

/** Adds the files below `root/from` for which `wanted` (a path from `root`) holds. */
function addTree(entries: Entries, root: string, from: string, wanted: (path: string) => boolean = () => true): void {
  for (const name of existsSync(join(root, from)) ? readdirSync(join(root, from)) : []) {
    const path = join(from, name);
    const stat = lstatSync(join(root, path));
    if (stat.isDirectory()) addTree(entries, root, path, wanted);
    else if (!wanted(path)) continue;
    else if (stat.isSymbolicLink()) entries.set(merged(path), { kind: 'link', target: readlinkSync(join(root, path)) });
    else entries.set(merged(path), { kind: 'file', content: { path: join(root, path) }, mode: stat.mode & 0o7777 });
  }
}

const isLibrary = (path: string): boolean =>
  /\/[^/]+\.so(\.[\d.]+)*$/.test(path) && !/\/(gconv|audit|perl)\//.test(path);

const PASSWD = [
  'root:x:0:0:root:/root:/bin/sh',
  'daemon:x:1:1:daemon:/usr/sbin:/bin/false',
  'www-data:x:33:33:www-data:/var/www:/bin/false',
  'user:x:1000:1000::/home/user:/bin/sh',
  'nobody:x:65534:65534:nobody:/nonexistent:/bin/false',
];
const GROUP = ['root:x:0:', 'daemon:x:1:', 'tty:x:5:', 'www-data:x:33:', 'user:x:1000:', 'nogroup:x:65534:'];

/** busybox with glibc: a shell, its tools, and names looked up as other programs do it. */
async function baseEntries(packages: string): Promise<Entries> {
  const entries: Entries = new Map();
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) entries.set(name, { kind: 'link', target: `usr/${name}` });
  for (const name of ['dev', 'home/user', 'proc', 'run', 'sys', 'usr/sbin', 'usr/local/bin', 'var/log', 'var/lib']) {
    entries.set(name, { kind: 'folder' });
  }
  entries.set('root', { kind: 'folder', mode: 0o700 });
  for (const name of ['tmp', 'var/tmp']) entries.set(name, { kind: 'folder', mode: 0o1777 });
  entries.set('etc/passwd', { kind: 'file', content: `${PASSWD.join('\n')}\n` });
  entries.set('etc/group', { kind: 'file', content: `${GROUP.join('\n')}\n` });
  entries.set('etc/nsswitch.conf', { kind: 'file', content: 'passwd: files\ngroup: files\nhosts: files dns\n' });
  for (const folder of ['lib', 'lib64', 'usr/lib', 'usr/lib64']) addTree(entries, packages, folder, isLibrary);
  const busybox = ['usr/bin/busybox', 'bin/busybox'].map((path) => join(packages, path)).find(existsSync)!;
  entries.set('usr/bin/busybox', { kind: 'file', content: { path: busybox }, mode: 0o755 });
  const { stdout } = await run([busybox, '--list']);
  for (const applet of stdout.trim().split('\n')) {
    if (applet !== 'busybox') entries.set(`usr/bin/${applet}`, { kind: 'link', target: 'busybox' });
  }
  return entries;
}

/** The Node that runs this, with the libraries it needs beyond glibc's. */
async function nodeEntries(base: ReadonlySet<string>): Promise<Entries> {
  const entries: Entries = new Map();
  entries.set('usr/local/bin/node', { kind: 'file', content: { path: process.execPath }, mode: 0o755 });
  const { stdout } = await run(['ldd', process.execPath], { check: false });
  for (const line of stdout.split('\n')) {
    const library = /=> (\/\S+)/.exec(line)?.[1];
    if (library === undefined) continue;
    const path = merged(library.slice(1));
    if (base.has(path)) continue;
    entries.set(path, { kind: 'file', content: { path: realpathSync(library) }, mode: 0o644 });
  }
  return entries;
}

const NGINX_CONFIGURATION = `
daemon off;
worker_processes 1;
pid /tmp/nginx.pid;
error_log /dev/stderr;
events { worker_connections 256; }
http {
  include /etc/nginx/mime.types;
  access_log /dev/stdout;
  client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;
  server { listen 80; root /usr/share/nginx/html; }
}
`;

function nginxEntries(packages: string): Entries {
  const entries: Entries = new Map();
  for (const folder of ['lib', 'usr/lib']) addTree(entries, packages, folder, isLibrary);
  addTree(entries, packages, 'usr/sbin', (path) => path.endsWith('/nginx'));
  addTree(entries, packages, 'etc/nginx', (path) => path.endsWith('/mime.types'));
  entries.set('etc/nginx/nginx.conf', { kind: 'file', content: NGINX_CONFIGURATION });
  entries.set('usr/share/nginx/html/index.html', {
    kind: 'file',
    content: '<!DOCTYPE html>\n<title>Welcome to nginx!</title>\n<h1>Welcome to nginx!</h1>\n',
  });
  for (const name of ['var/log/nginx', 'var/lib/nginx']) entries.set(name, { kind: 'folder' });
  return entries;
}

/** A key that changes when the file or folder does. */
function stamp(path: string): string {
  const { size, mtimeMs } = statSync(path);
  return `${path} ${size} ${mtimeMs}`;
}

class ImageBuilder {
  readonly store: ImageStore;
  /** Change with the code that makes layers. */
  readonly #version = '1';
  #baseLayer: Promise<Descriptor> | undefined;

  constructor(store: ImageStore) {
    this.store = store;
  }

  /** A layer under a key, whose entries are computed only when there is none yet. */
  async layer(key: string, entries: () => Entries | Promise<Entries>): Promise<Descriptor> {
    const whole = `${this.#version} ${key}`;
    const made = this.store.findLayer(whole);
    if (made !== undefined) return made;
    return this.store.putLayer(await entries(), whole);
  }

  base(): Promise<Descriptor> {
    this.#baseLayer ??= (async () => {
      const packages = await unpackPackages(['busybox', 'libc6']);
      return this.layer(`base ${stamp(packages)}`, () => baseEntries(packages));
    })();
    return this.#baseLayer;
  }

  async pause(): Promise<void> {
    const layer = this.store.putLayer(new Map([['pause', { kind: 'file', mode: 0o755, content: pauseProgram() }]]));
    const names = ['pause:3.10', 'pause:3.10.1', 'pause:3.9', 'pause:3.6', 'pause:latest'];
    this.store.image(names, [layer], { Entrypoint: ['/pause'], User: '65535:65535' });
  }

  async busybox(): Promise<void> {
    this.store.image(['busybox', 'busybox:1.36'], [await this.base()], { Cmd: ['sh'] });
  }

  async behave(): Promise<void> {
    const content = readFileSync(join(PROGRAMS, 'behave.sh'));
    const layer = this.store.putLayer(new Map([['usr/local/bin/behave', { kind: 'file', mode: 0o755, content }]]));
    this.store.image(['behave'], [await this.base(), layer], { Entrypoint: ['behave'] });
  }

  async kubia(): Promise<void> {
    const base = await this.base();
    const node = await this.layer(`node ${stamp(process.execPath)} ${base.digest}`, async () =>
      nodeEntries(new Set((await baseEntries(await unpackPackages(['busybox', 'libc6']))).keys())),
    );
    const content = readFileSync(join(PROGRAMS, 'kubia.mjs'));
    const program = this.store.putLayer(new Map([['kubia.mjs', { kind: 'file', content }]]));
    const variant = (names: readonly string[], ...env: string[]): void => {
      const config = { Entrypoint: ['node', '/kubia.mjs'], Env: env, ExposedPorts: { '8080/tcp': {} } };
      this.store.image(
        names.flatMap((name) => [name, `luksa/${name}`]),
        [base, node, program],
        config,
      );
    };
    variant(['kubia']);
    variant(['kubia:v1'], 'KUBIA_ANSWER=This is v1 running in pod');
    variant(['kubia:v2'], 'KUBIA_ANSWER=This is v2 running in pod');
    variant(['kubia:v3'], 'KUBIA_ANSWER=This is v3 running in pod', 'KUBIA_FAILS_AFTER=4');
    variant(['kubia-unhealthy'], 'KUBIA_FAILS_AFTER=5');
    this.store.image(['node'], [base, node], { Cmd: ['node'] });
  }

  async nginx(): Promise<void> {
    const packages = await unpackPackages(['nginx'], { closure: true });
    const layer = await this.layer(`nginx ${stamp(packages)} ${NGINX_CONFIGURATION}`, () => nginxEntries(packages));
    const config = { Cmd: ['nginx'], ExposedPorts: { '80/tcp': {} }, StopSignal: 'SIGQUIT' };
    this.store.image(['nginx', 'nginx:1.27', 'nginx:alpine'], [await this.base(), layer], config);
  }
}

/** Makes those images (default all) unless they are there, and returns the store that holds them. */
export async function buildImages(names: readonly TestImage[] = ALL, folder = imagesFolder()): Promise<ImageStore> {
  const builder = new ImageBuilder(new ImageStore(folder));
  for (const name of names) await builder[name]();
  return builder.store;
}

/** Makes an image of a test's own: busybox, those files on top, that configuration. Returns the manifest's digest. */
export async function buildImage(
  store: ImageStore,
  name: string,
  config: ImageConfig,
  files: Readonly<Record<string, string | { readonly content: string; readonly mode: number }>> = {},
): Promise<string> {
  const entries: Entries = new Map();
  for (const [path, file] of Object.entries(files)) {
    const { content, mode } = typeof file === 'string' ? { content: file, mode: 0o644 } : file;
    entries.set(path.replace(/^\//, ''), { kind: 'file', content, mode });
  }
  const base = await new ImageBuilder(store).base();
  const layers = entries.size === 0 ? [base] : [base, store.putLayer(entries)];
  return store.image([name], layers, config).digest;
}
