// Uses signed URLs with the JavaScript SDK of the service that they imitate, and as the browser UI does. Ends with 0 when all is as expected.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { BlobClient, BlockBlobClient, ContainerClient } from '@azure/storage-blob'

const base = process.env.TOTE_URL
const headers = { 'content-type': 'application/json', 'auth-client-id': process.env.TOTE_CLIENT, 'auth-client-secret': process.env.TOTE_SECRET }

// call asks the service and gives the objects of its answer.
async function call(path, body) {
  const res = await fetch(base + path, { method: 'POST', headers, body: JSON.stringify(body) })
  assert.equal(res.status, 200)
  const { response } = await res.json()
  assert.equal(response.status.toLowerCase(), 'success', JSON.stringify(response))
  return response.binaryStreamObjects
}

const object = (key, more) => ({ binaryStreamObject: { type: 'binarystreamobject', properties: { objectKey: key, ...more }, data: {} } })

async function prepare(op, key, more) {
  const [o] = await call('/api/binarystreamobjectservice/' + op, object(key, more))
  assert.deepEqual(o.properties, o.data.properties)
  return o.properties
}

const downloadOf = async (key) => new BlobClient((await prepare('prepareDownload', key)).downloadURL)

// refused wants an error by its name.
async function refused(status, code, promise) {
  await assert.rejects(promise, (e) => {
    assert.equal(e.statusCode, status)
    assert.equal(e.code ?? e.details?.errorCode, code)
    return true
  })
}

async function whole() {
  const { uploadURL } = await prepare('prepareUpload', 'js/whole @1.txt')
  const client = new BlockBlobClient(uploadURL)
  await client.upload('hello', 5, { metadata: { shade: 'light' }, blobHTTPHeaders: { blobContentType: 'text/plain', blobContentDisposition: 'inline' } })
  const down = await downloadOf('js/whole @1.txt')
  assert.equal((await down.downloadToBuffer()).toString(), 'hello')
  const p = await down.getProperties()
  assert.equal(p.contentLength, 5)
  assert.equal(p.contentType, 'text/plain')
  assert.equal(p.contentDisposition, 'inline')
  assert.equal(p.metadata.shade, 'light')
  assert.equal(p.blobType, 'BlockBlob')
  assert.equal(p.leaseState, 'available')
  assert.ok(p.etag && p.lastModified && p.createdOn)
  assert.equal((await down.downloadToBuffer(1, 3)).toString(), 'ell')
  assert.equal(await down.exists(), true)
}

async function blocks() {
  const data = randomBytes(5_000_003)
  const { uploadURL } = await prepare('prepareUpload', 'js/blocks.bin')
  const client = new BlockBlobClient(uploadURL)
  await client.uploadData(data, { blockSize: 1 << 20, maxSingleShotSize: 1 << 20, concurrency: 4, blobHTTPHeaders: { blobContentType: 'image/png' } })
  const down = await downloadOf('js/blocks.bin')
  assert.ok((await down.downloadToBuffer(0, undefined, { blockSize: 700_000, concurrency: 3 })).equals(data))
  const res = await down.download(1000, 5000, { rangeGetContentMD5: true })
  const part = []
  for await (const chunk of res.readableStreamBody) part.push(chunk)
  assert.ok(Buffer.concat(part).equals(data.subarray(1000, 6000)))
  assert.equal(Buffer.from(res.contentMD5).toString('hex'), createHash('md5').update(data.subarray(1000, 6000)).digest('hex'))
}

async function empty() {
  const { uploadURL } = await prepare('prepareUpload', 'js/empty')
  await new BlockBlobClient(uploadURL).upload('', 0)
  const down = await downloadOf('js/empty')
  assert.equal((await down.getProperties()).contentLength, 0)
  const res = await down.download()
  for await (const chunk of res.readableStreamBody) assert.fail(chunk)
}

async function failures() {
  const { uploadURL } = await prepare('prepareUpload', 'js/failures')
  const up = new BlockBlobClient(uploadURL)
  await refused(403, 'AuthorizationPermissionMismatch', up.download())
  await refused(403, 'AuthorizationPermissionMismatch', up.delete())
  await refused(400, 'InvalidBlockList', up.commitBlockList(['bm9uZQ==']))
  await refused(403, 'AuthenticationFailed', new BlockBlobClient(uploadURL.replace('sp=acw', 'sp=acwr')).upload('x', 1))
  await up.upload('x', 1)
  await refused(409, 'BlobAlreadyExists', up.upload('y', 1, { conditions: { ifNoneMatch: '*' } }))
  await refused(416, 'InvalidRange', (await downloadOf('js/failures')).download(5, 5))
}

// continuous uses one URL for many files, as a container of the SDK.
async function continuous() {
  const [o] = await call('/api/binarystreamobjectservice/uploadContinuous', { binaryStreamObject: { type: 'shot' } })
  const { uploadContinuousURL: url, replacementObjectKey: key } = o.properties
  const container = new ContainerClient(url.replace('/' + key, ''))
  for (const name of ['js/one.bin', 'js/two.bin']) await container.getBlockBlobClient(name).upload(name, name.length)
  const [d] = await call('/api/binarystreamobjectservice/downloadContinuous', { binaryStreamObject: { type: 'shot' } })
  const from = new ContainerClient(d.properties.downloadContinuousURL.replace('/' + d.properties.replacementObjectKey, ''))
  for (const name of ['js/one.bin', 'js/two.bin']) assert.equal((await from.getBlobClient(name).downloadToBuffer()).toString(), name)
  await refused(404, 'BlobNotFound', from.getBlobClient('js/three.bin').downloadToBuffer())
}

// browser does what the UI does: an array to the façade, then one PUT per file with the headers merged.
async function browser() {
  const files = ['a.png', 'b.png']
  const objects = await call('/data/binarystreamobjectservice/prepareUpload', files.map((f) => object('ui/' + f, { originalFileName: f })))
  for (const [i, o] of objects.entries()) {
    const { uploadURL, headers: list, objectKey } = o.data.properties
    assert.equal(objectKey, 'ui/' + files[i])
    const preflight = await fetch(uploadURL, { method: 'OPTIONS', headers: { origin: 'https://ui.test', 'access-control-request-method': 'PUT', 'access-control-request-headers': 'x-ms-blob-type' } })
    assert.equal(preflight.headers.get('access-control-allow-origin'), '*')
    const res = await fetch(uploadURL, { method: 'PUT', headers: Object.assign({ 'content-type': 'image/png' }, ...list), body: files[i] })
    assert.equal(res.status, 201, await res.text())
  }
  const found = await call('/data/binarystreamobjectservice/prepareDownload', files.map((f) => ({ binaryStreamObject: { id: 'ui/' + f, type: 'binarystreamobject', data: {} } })))
  for (const [i, o] of found.entries()) {
    const res = await fetch(o.data.properties.downloadURL)
    assert.equal(await res.text(), files[i])
    assert.equal(res.headers.get('content-disposition'), 'attachment; filename=' + files[i])
  }
}

for (const step of [whole, blocks, empty, failures, continuous, browser]) {
  await step()
  console.log(step.name, 'ok')
}
