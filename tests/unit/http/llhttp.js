// SPDX-License-Identifier: MIT
// What Node's parser (llhttp) makes of streams of messages: reads lines "KIND HEX" as judge.c does,
// and answers each with a line of JSON, behind one with its version. "error" is the code of its
// refusal, or null.
'use strict';
const { HTTPParser, methods } = require('_http_common');
const readline = require('readline');

const UPGRADE = 2, NO_BODY = 1, BODY = 0;
const hex = (text) => Buffer.from(text, 'latin1').toString('hex');

// What Node's own server and client answer to a head: is there a body, or another protocol?
function what_follows(kind, m, upgrade) {
    if (kind === 'q')
        return m.method === hex('CONNECT') ? UPGRADE : BODY;
    if (m.status === 101 || (kind === 'c' && m.status >= 200 && m.status < 300))
        return UPGRADE;
    // 204 and 304: Node's client knows of 304, and llhttp from version 9 on of both
    return m.status < 200 || m.status === 204 || m.status === 304 || kind === 'h' ? NO_BODY : BODY;
}

function read(kind, bytes) {
    const messages = [];
    let error = null, headers = [], url = '', current = null;
    const parser = new HTTPParser();

    parser.initialize(kind === 'q' ? HTTPParser.REQUEST : HTTPParser.RESPONSE, {}, 1 << 20, 0);
    parser[HTTPParser.kOnMessageBegin] = () => { headers = []; url = ''; current = null; };
    parser[HTTPParser.kOnHeaders] = (more, part) => {
        if (current)
            return; // trailers
        headers.push(...more);
        url += part;
    };
    parser[HTTPParser.kOnHeadersComplete] = (major, minor, rest, method, target, status, reason, upgrade) => {
        const all = headers.concat(rest || []);
        const m = { minor, headers: [], body: '', complete: false };

        for (let i = 0; i < all.length; i += 2)
            m.headers.push([hex(all[i]), hex(all[i + 1])]);
        if (kind === 'q')
            Object.assign(m, { method: hex(methods[method] || '?'), target: hex(url + (target || '')) });
        else
            Object.assign(m, { status, reason: hex(reason || '') });
        messages.push(m);
        current = m;
        return what_follows(kind, m, upgrade);
    };
    parser[HTTPParser.kOnBody] = (buffer, start, length) => {
        const part = length === undefined ? buffer : buffer.subarray(start, start + length);
        current.body += part.toString('hex');
    };
    parser[HTTPParser.kOnMessageComplete] = () => { current.complete = true; };

    const done = parser.execute(bytes);
    if (done instanceof Error)
        error = done.code || String(done);
    else if (done < bytes.length && current && !current.complete)
        error = 'SILENT'; // what is wrong behind a request for an upgrade is not named
    else
        parser.finish(); // the end of the connection: it completes a body, or refuses what is cut short
    parser.free();
    return { messages, error };
}

process.stdout.write(JSON.stringify({ node: process.versions.node, llhttp: process.versions.llhttp }) + '\n');
readline.createInterface({ input: process.stdin }).on('line', (line) => {
    const [kind, text] = line.split(' ');
    process.stdout.write(JSON.stringify(read(kind, Buffer.from(text || '', 'hex'))) + '\n');
});
