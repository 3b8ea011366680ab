#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""TLS goes through untouched: the client sees the backend's certificate, the backend the name asked for."""

import ssl
import subprocess

import rig


class Tls(rig.FlowTest):
    def certificate(self, name):
        key, cert = f'{self.dir}/{name}.key', f'{self.dir}/{name}.pem'
        self.run_ok(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
                     '-keyout', key, '-out', cert, '-days', '2', '-subj', f'/CN={name}', '-addext',
                     f'subjectAltName=DNS:{name}'])
        return ['-cert', cert, '-key', key] if name == 'default.test' else ['-cert2', cert, '-key2', key]

    def test_passthrough_and_sni(self):
        self.need('openssl')
        port, tls_port = rig.free_port(), rig.free_port()
        # two certificates: s_server chooses the second one only when the name arrives
        server = self.start('s_server', ['openssl', 's_server', '-accept', f'127.0.0.1:{tls_port}', '-www',
                                         '-servername', 'second.test', *self.certificate('default.test'),
                                         *self.certificate('second.test')])
        rig.wait_until(lambda: 'ACCEPT' in server.output(), 's_server to listen')
        bal = self.bal(rig.simple(port, [f'127.0.0.1:{tls_port}']))

        def subject(name):
            done = subprocess.run(['openssl', 's_client', '-connect', f'127.0.0.1:{port}', '-servername', name],
                                  input='', capture_output=True, text=True, timeout=20 * rig.SLOW)
            return next(line for line in done.stdout.splitlines() if line.startswith('subject='))
        self.assertIn('second.test', subject('second.test'))
        self.assertIn('default.test', subject('other.test'))

        context = ssl.create_default_context(cafile=f'{self.dir}/second.test.pem')
        with rig.connect(port) as raw, context.wrap_socket(raw, server_hostname='second.test') as s:
            s.sendall(b'GET / HTTP/1.0\r\n\r\n')
            answer = rig.read_all(s)
        self.assertIn(b'HTTP/1.0 200', answer)
        self.assert_idle(bal)


if __name__ == '__main__':
    rig.main()
