// The web server of the test images: says over HTTP, and over UDP on the same port, which pod answered.
// KUBIA_ANSWER is the sentence before the hostname; after KUBIA_FAILS_AFTER answers (0: never) it answers 500.
import { createSocket } from 'node:dgram';
import { createServer } from 'node:http';
import { hostname } from 'node:os';

const port = Number(process.env.PORT ?? 8080);
const answer = `${process.env.KUBIA_ANSWER ?? "You've hit"} ${hostname()}\n`;
const failsAfter = Number(process.env.KUBIA_FAILS_AFTER ?? 0);
let answered = 0;

const server = createServer((request, response) => {
  console.log(`Received request from ${request.socket.remoteAddress}`);
  const fails = failsAfter > 0 && ++answered > failsAfter;
  response.writeHead(fails ? 500 : 200, { 'content-type': 'text/plain' });
  response.end(fails ? `Some internal error has occurred! This is pod ${hostname()}\n` : answer);
});
const datagrams = createSocket('udp4');
datagrams.on('message', (_message, from) => datagrams.send(answer, from.port, from.address));

server.listen(port, () => console.log('Kubia server starting...'));
datagrams.bind(port);

// Process 1 gets no default for SIGTERM: without this a pod would take its whole grace period to go.
process.on('SIGTERM', () => {
  console.log('Kubia server ending...');
  process.exit(0);
});
