/** Where the client of a WebSocket says what it can speak, and the server what it chose (RFC 6455, 11.3.4). */
export const SUBPROTOCOL_HEADER = 'sec-websocket-protocol';

/** The names in that header, in the client's order of preference; none where there is no header. */
export const subprotocolsOf = (header: string | undefined): string[] =>
  (header ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
