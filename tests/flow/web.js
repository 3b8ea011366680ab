// SPDX-License-Identifier: MIT
// A web server on Node.js for flow tests: web.js NAME PORT OPTIONS (JSON). It says "listening PORT".
//
//   /                what came, as JSON         /sum            length and hash of the body
//   /file            options.file, chunked; /file?length with Content-Length
//   /status/N        that status                /slow?ms=N      waits before it answers
//   /drip?n=N&ms=M   N parts, one each M ms     /trailers       a body with trailers behind it
//   /hints           103, 103, then 200         /close          closes the connection afterwards
//   /cut             announces more than it sends, and hangs up
//   /counts          how often each X-Id was executed, and by what; not counted itself
// With Expect: 100-continue, /refuse answers 403 at once. CONNECT: an echo with a greeting.
'use strict';
const crypto = require('crypto'), fs = require('fs'), http = require('http');

const [name, port, text] = process.argv.slice(2);
const options = JSON.parse(text || '{}');
const counts = new Map();
let connections = 0, requests = 0;

function pause(ms) {
    return new Promise((done) => setTimeout(done, ms));
}

async function body_of(req) {
    const hash = crypto.createHash('sha256'), kept = [];
    let n = 0;
    for await (const part of req) {
        hash.update(part);
        n += part.length;
        if (n <= 65536)
            kept.push(part);
    }
    return { n, sha256: hash.digest('hex'), text: n <= 65536 ? Buffer.concat(kept).toString('latin1') : null };
}

function say(res, value, status = 200) {
    const body = JSON.stringify(value) + '\n';
    res.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) });
    res.end(body);
}

const paths = {
    async '/sum'(req, res) {
        const { n, sha256 } = await body_of(req);
        say(res, { backend: name, n, sha256, trailers: req.rawTrailers });
    },
    async '/file'(req, res, query) {
        const more = query.has('length') ? { 'Content-Length': fs.statSync(options.file).size } : {};
        res.writeHead(200, more);
        if (req.method === 'HEAD')
            res.end();
        else
            fs.createReadStream(options.file, { highWaterMark: 1 << 18 }).pipe(res);
    },
    async '/slow'(req, res, query) {
        await body_of(req);
        await pause(Number(query.get('ms')));
        say(res, { backend: name, slow: true });
    },
    async '/drip'(req, res, query) {
        res.writeHead(200);
        for (let i = 0; i < Number(query.get('n')); i++) {
            res.write(`part ${i}\n`);
            await pause(Number(query.get('ms')));
        }
        res.end(`end of ${name}\n`);
    },
    async '/trailers'(req, res) {
        res.writeHead(200, { Trailer: 'X-Sum, X-Count' });
        res.write('a body ');
        res.addTrailers({ 'X-Sum': 'abc123', 'X-Count': '2', 'Content-Length': '5', 'Authorization': 'x' });
        res.end('in parts\n');
    },
    async '/hints'(req, res) {
        res.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
        res.writeEarlyHints({ link: '</script.js>; rel=preload; as=script' });
        say(res, { backend: name });
    },
    async '/close'(req, res) {
        res.setHeader('Connection', 'close');
        say(res, { backend: name });
    },
    async '/cut'(req, res) {
        res.writeHead(200, { 'Content-Length': 1000 });
        res.write('not all of it\n');
        await pause(50);
        res.socket.destroy();
    },
    async '/counts'(req, res) {
        say(res, { backend: name, connections, requests, ids: Object.fromEntries(counts) });
    },
};

async function serve(req, res) {
    const [path, search] = req.url.split('?');
    const id = req.headers['x-id'];
    const status = /^\/status\/(\d+)$/.exec(path);

    if (path !== '/counts')
        requests++;
    if (id)
        counts.set(id, (counts.get(id) || 0) + 1);
    if (path in paths) {
        await paths[path](req, res, new URLSearchParams(search));
        return;
    }
    const { n, text } = await body_of(req);
    if (status && [204, 304].includes(Number(status[1]))) {
        res.writeHead(Number(status[1]));
        res.end();
        return;
    }
    say(res, { backend: name, method: req.method, target: req.url, version: req.httpVersion,
               headers: req.rawHeaders, trailers: req.rawTrailers, n, text }, status ? Number(status[1]) : 200);
}

const server = http.createServer({ maxHeaderSize: 128 * 1024, ...options.server }, (req, res) => {
    serve(req, res).catch(() => res.destroy());
});
Object.assign(server, { requestTimeout: 0, timeout: 0, keepAliveTimeout: 3600000, ...options.set });

server.on('connection', () => connections++);
server.on('checkContinue', (req, res) => {
    if (req.url === '/refuse') {
        say(res, { backend: name, refused: true }, 403);
        return;
    }
    res.writeContinue();
    server.emit('request', req, res);
});
server.on('connect', (req, socket, head) => {
    socket.on('error', () => socket.destroy());
    socket.write(`HTTP/1.1 200 Connected\r\nX-To: ${req.url}\r\n\r\nhello from ${name}\n`);
    socket.write(head);
    socket.pipe(socket);
});
server.listen(Number(port), '127.0.0.1', () => console.log(`listening ${server.address().port}`));
