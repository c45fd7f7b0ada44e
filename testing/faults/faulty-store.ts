import { type Store, StoreError, type Watch, type WatchHandler } from '../../control-plane/store/store.ts';

/** A store whose disk can be full: then nothing is written any more, and everything can be read. */
export class FaultyStore implements Store {
  readonly #store: Store;
  readonly #refused: () => void;
  readonly driver: string;
  readonly clusterId: string;
  full = false;

  /** `refused` is called for each write that finds no room. */
  constructor(store: Store, refused: () => void) {
    this.#store = store;
    this.driver = store.driver;
    this.clusterId = store.clusterId;
    this.#refused = refused;
  }

  write: Store['write'] = async (write) => {
    if (this.full) {
      this.#refused();
      throw new StoreError('no space', 'no space left on device', { outcome: 'no' });
    }
    return this.#store.write(write);
  };

  currentRevision: Store['currentRevision'] = () => this.#store.currentRevision();
  get: Store['get'] = (key) => this.#store.get(key);
  list: Store['list'] = (prefix, options) => this.#store.list(prefix, options);
  compact: Store['compact'] = (revision) => this.#store.compact(revision);
  compactedRevision: Store['compactedRevision'] = () => this.#store.compactedRevision();
  size: Store['size'] = () => this.#store.size();
  close: Store['close'] = () => this.#store.close();

  watch(prefix: string, after: number, handler: WatchHandler): Promise<Watch> {
    return this.#store.watch(prefix, after, handler);
  }
}
