import { type Store, StoreError, type Watch, type WatchHandler } from '../../control-plane/store/store.ts';
import { assert } from '../../libs/base/assert.ts';

/** A store whose disk can be full: then nothing is written any more, and everything can be read. */
export class FaultyStore implements Store {
  #store: Store | undefined;
  readonly #refused: () => void;
  full = false;

  /** `refused` is called for each write that finds no room. A store that is still to be opened comes by `open`. */
  constructor(store: Store | undefined, refused: () => void) {
    this.#store = store;
    this.#refused = refused;
  }

  open(store: Store): void {
    this.#store = store;
  }

  get driver(): string {
    return this.#inner.driver;
  }

  get clusterId(): string {
    return this.#inner.clusterId;
  }

  write: Store['write'] = (write) => {
    if (!this.full) return this.#inner.write(write);
    this.#refused();
    return Promise.reject(new StoreError('no space', 'no space left on device', { outcome: 'no' }));
  };

  currentRevision: Store['currentRevision'] = () => this.#inner.currentRevision();
  get: Store['get'] = (key) => this.#inner.get(key);
  list: Store['list'] = (prefix, options) => this.#inner.list(prefix, options);
  compact: Store['compact'] = (revision) => this.#inner.compact(revision);
  compactedRevision: Store['compactedRevision'] = () => this.#inner.compactedRevision();
  size: Store['size'] = () => this.#inner.size();
  close: Store['close'] = async () => this.#store?.close();

  watch(prefix: string, after: number, handler: WatchHandler): Promise<Watch> {
    return this.#inner.watch(prefix, after, handler);
  }

  get #inner(): Store {
    assert(this.#store !== undefined, 'the store is not open yet');
    return this.#store;
  }
}
