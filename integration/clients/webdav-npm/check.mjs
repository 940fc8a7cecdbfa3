// Works on the share with the npm module webdav. Ends with 0 when all is as expected.
import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { AuthType, createClient } from 'webdav'

const { TOTE_URL, TOTE_USER, TOTE_PASSWORD } = process.env
const client = createClient(TOTE_URL + '/dav', { authType: AuthType.Password, username: TOTE_USER, password: TOTE_PASSWORD })

// refused wants an answer with a status.
const refused = (status, promise) => assert.rejects(promise, (e) => e.status === status || assert.fail(e))

async function files() {
  await client.createDirectory('/npm/sub dir', { recursive: true })
  assert.equal(await client.putFileContents('/npm/a.txt', 'hello\n'), true)
  assert.equal(await client.putFileContents('/npm/a.txt', 'other\n', { overwrite: false }), false)
  assert.equal(await client.getFileContents('/npm/a.txt', { format: 'text' }), 'hello\n')
  assert.equal(await client.exists('/npm/b.txt'), false)
  const { size, type, etag } = await client.stat('/npm/a.txt')
  assert.deepEqual([size, type], [6, 'file'])
  assert.ok(etag)
  await refused(404, client.getFileContents('/npm/none'))
}

async function parts() {
  assert.equal(await text(client.createReadStream('/npm/a.txt', { range: { start: 1, end: 3 } })), 'ell')
  await client.partialUpdateFileContents('/npm/a.txt', 6, 10, 'more\n')
  assert.equal(await client.getFileContents('/npm/a.txt', { format: 'text' }), 'hello\nmore\n')
  const done = new Promise((resolve, reject) => {
    const out = client.createWriteStream('/npm/stream', {}, resolve)
    out.on('error', reject)
    Readable.from(['stre', 'amed']).pipe(out)
  })
  await done
  assert.equal(await client.getFileContents('/npm/stream', { format: 'text' }), 'streamed')
}

async function locks() {
  const { token } = await client.lock('/npm/a.txt')
  await refused(423, client.putFileContents('/npm/a.txt', 'other\n'))
  await client.unlock('/npm/a.txt', token)
}

async function tree() {
  await client.moveFile('/npm/a.txt', '/npm/sub dir/ü b.txt')
  await client.copyFile('/npm/sub dir/ü b.txt', '/npm/sub dir/copy.txt')
  await refused(412, client.copyFile('/npm/stream', '/npm/sub dir/copy.txt', { overwrite: false }))
  await client.deleteFile('/npm/stream')
  const list = await client.getDirectoryContents('/npm/sub dir')
  assert.deepEqual(list.map((e) => e.basename).sort(), ['copy.txt', 'ü b.txt'])
}

await files()
await parts()
await locks()
await tree()
