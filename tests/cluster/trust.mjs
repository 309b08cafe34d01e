// tests/cluster/trust.mjs URL NAME DIR|- - one call of tutti.v1.Node/Describe with @grpc/grpc-js, with the certificate of DIR or with none: prints the
// node's name, or the status.  Copied into the folder of the packages (tests/serve/grpc) by test_trust.sh.
import grpc from '@grpc/grpc-js'
import fs from 'node:fs'
const [, , url, name, dir] = process.argv
const ca = fs.readFileSync(`${process.env.CA}/ca.pem`)
const own = dir === '-' ? null : fs.readFileSync(`${dir}/node.pem`)
const client = new grpc.Client(url.replace('https://', ''), grpc.credentials.createSsl(ca, own, own), {
    'grpc.ssl_target_name_override': name, 'grpc.default_authority': name,
})
const same = (b) => b
client.makeUnaryRequest('/tutti.v1.Node/Describe', same, same, Buffer.alloc(0), new grpc.Metadata(), { deadline: Date.now() + 30000 }, (err, answer) => {
    if (err) console.log(`status ${err.code}`)
    else if (answer[0] === 0x0a) console.log(`node ${answer.subarray(2, 2 + answer[1]).toString()}`)
    client.close()
})
