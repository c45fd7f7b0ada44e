import { ProtobufSchema } from '../../../../libs/grpc/protobuf.ts';

/**
 * The part of etcd's v3 API that the store speaks: names, numbers and types of its published messages. Ids of leases use
 * all of 64 bits, so they are bigints (`nanos`); revisions stay far below 2^53.
 */
export const etcdSchema = new ProtobufSchema({
  enums: {
    CompareResult: { EQUAL: 0, GREATER: 1, LESS: 2, NOT_EQUAL: 3 },
    CompareTarget: { VERSION: 0, CREATE: 1, MOD: 2, VALUE: 3, LEASE: 4 },
    EventType: { PUT: 0, DELETE: 1 },
  },
  messages: {
    ResponseHeader: '3 revision int64',
    KeyValue: '1 key string;2 createRevision int64;3 modRevision int64;5 value bytes',
    RangeRequest: '1 key string;2 rangeEnd string;3 limit int64;4 revision int64;8 keysOnly bool;9 countOnly bool',
    RangeResponse: '1 header ResponseHeader;2 kvs KeyValue[];3 more bool;4 count int64',
    PutRequest: '1 key string;2 value bytes;3 lease nanos;4 prevKv bool',
    PutResponse: '2 prevKv KeyValue',
    DeleteRangeRequest: '1 key string;3 prevKv bool',
    DeleteRangeResponse: '2 deleted int64;3 prevKvs KeyValue[]',
    Compare: '1 result CompareResult;2 target CompareTarget;3 key string;6 modRevision int64',
    RequestOp: '1 requestRange RangeRequest;2 requestPut PutRequest;3 requestDeleteRange DeleteRangeRequest',
    ResponseOp: '1 responseRange RangeResponse;2 responsePut PutResponse;3 responseDeleteRange DeleteRangeResponse',
    TxnRequest: '1 compare Compare[];2 success RequestOp[];3 failure RequestOp[]',
    TxnResponse: '1 header ResponseHeader;2 succeeded bool;3 responses ResponseOp[]',
    CompactionRequest: '1 revision int64',
    CompactionResponse: '1 header ResponseHeader',
    LeaseGrantRequest: '1 ttl int64;2 id nanos',
    LeaseGrantResponse: '2 id nanos;3 ttl int64;4 error string',
    LeaseRevokeRequest: '1 id nanos',
    LeaseRevokeResponse: '1 header ResponseHeader',
    StatusRequest: '',
    StatusResponse: '2 version string;3 dbSize int64;9 dbSizeInUse int64',
    WatchRequest: '1 createRequest WatchCreateRequest;3 progressRequest WatchProgressRequest',
    WatchCreateRequest:
      '1 key string;2 rangeEnd string;3 startRevision int64;6 prevKv bool;7 watchId int64;8 fragment bool',
    WatchProgressRequest: '',
    WatchResponse:
      '1 header ResponseHeader;3 created bool;4 canceled bool;5 compactRevision int64;6 cancelReason string;7 fragment bool;11 events Event[]',
    Event: '1 type EventType;2 kv KeyValue;3 prevKv KeyValue',
  },
});

export interface Header {
  readonly revision: number;
}

export interface KeyValue {
  readonly key: string;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly value: Uint8Array;
}

export interface RangeRequest {
  readonly key: string;
  readonly rangeEnd?: string;
  readonly limit?: number;
  readonly revision?: number;
  readonly keysOnly?: boolean;
  readonly countOnly?: boolean;
}

export interface RangeResponse {
  readonly header: Header;
  readonly kvs: readonly KeyValue[];
  readonly more: boolean;
  /** All keys of the range, whatever `limit` let through. */
  readonly count: number;
}

export interface RequestOp {
  readonly requestRange?: RangeRequest;
  readonly requestPut?: {
    readonly key: string;
    readonly value: Uint8Array;
    readonly lease?: bigint;
    readonly prevKv: boolean;
  };
  readonly requestDeleteRange?: { readonly key: string; readonly prevKv: boolean };
}

export interface TxnRequest {
  /** A `modRevision` of 0: the key is not there. */
  readonly compare: readonly { readonly target: 'MOD'; readonly key: string; readonly modRevision: number }[];
  readonly success: readonly RequestOp[];
  readonly failure: readonly RequestOp[];
}

export interface TxnResponse {
  readonly header: Header;
  readonly succeeded: boolean;
  readonly responses: readonly {
    readonly responseRange?: { readonly kvs: readonly KeyValue[] };
    readonly responsePut?: { readonly prevKv?: KeyValue };
    readonly responseDeleteRange?: { readonly deleted: number; readonly prevKvs: readonly KeyValue[] };
  }[];
}

export interface WatchRequest {
  readonly createRequest?: {
    readonly key: string;
    readonly rangeEnd?: string;
    readonly startRevision: number;
    readonly prevKv: boolean;
    readonly watchId: number;
    readonly fragment: boolean;
  };
  readonly progressRequest?: Record<string, never>;
}

export interface WatchEvent {
  readonly type: 'PUT' | 'DELETE';
  readonly kv: KeyValue;
  readonly prevKv?: KeyValue;
}

export interface WatchResponse {
  readonly header: Header;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compactRevision: number;
  readonly cancelReason: string;
  /** The rest of these events comes in the next response. */
  readonly fragment: boolean;
  readonly events: readonly WatchEvent[];
}
