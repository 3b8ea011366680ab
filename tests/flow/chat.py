#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Both ends of a chat over WebSocket, on Debian's python3-websockets: chat.py server | client PORT MESSAGES.

The server sends each message back, and one of its own for each; what the client says about it is one line of JSON."""

import asyncio
import json
import os
import sys

import websockets


async def talk(ws):
    async for message in ws:
        await ws.send(message)
        await ws.send('of my own: ' + str(len(message)))
    # the client has closed with 4001: the library sends the same back


async def serve():
    async with websockets.serve(talk, '127.0.0.1', 0, max_size=None) as server:
        print(f'listening {server.sockets[0].getsockname()[1]}', flush=True)
        await asyncio.Future()


async def ask(port, count):
    said = {'messages': 0, 'pings': 0}
    async with websockets.connect(f'ws://127.0.0.1:{port}/chat', max_size=None) as ws:
        for i in range(count):
            message = os.urandom(i * 37 % 70000) if i % 2 else f'{i}: ' + 'ä' * (i % 300)
            await ws.send(message)
            assert await ws.recv() == message, i
            assert await ws.recv() == f'of my own: {len(message)}', i
            said['messages'] += 1
            if i % 100 == 0:
                await asyncio.wait_for(await ws.ping(b'are you there'), 10)
                said['pings'] += 1
        await ws.close(4001, 'enough')
        said['closed'] = [ws.close_code, ws.close_reason]
    print(json.dumps(said))


if __name__ == '__main__':
    asyncio.run(serve() if sys.argv[1] == 'server' else ask(int(sys.argv[2]), int(sys.argv[3])))
