// An FCM stand-in over TLS + HTTP/2 for the transport's bench: node h2_server.js <pem>
"use strict";
const fs = require("node:fs");
const http2 = require("node:http2");

const pem = fs.readFileSync(process.argv[2]);
const answer = Buffer.from(JSON.stringify({ name: "projects/p/messages/1" }));
let posts = 0;
const server = http2.createSecureServer({ key: pem, cert: pem, allowHTTP1: true, settings: { maxConcurrentStreams: 100 } });
server.on("request", (request, response) => {
  request.resume();
  request.on("end", () => {
    const counting = request.url === "/count";
    if (!counting) posts += 1;
    response.writeHead(200, { "content-type": "application/json" });
    response.end(counting ? String(posts) : answer);
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
