// Uses the inventory and event APIs with the JavaScript client of the platform that they imitate. Ends with 0 when all is as the client expects.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { Client, EventBinaryService, BasicAuth, FetchClient } from '@c8y/client'

const base = process.env.TOTE_URL
const tenant = process.env.TOTE_TENANT
const user = process.env.TOTE_USER
const password = process.env.TOTE_PASSWORD

const bytes = async (res) => Buffer.from(await res.arrayBuffer())

// refused wants a status.
async function refused(status, promise) {
  await assert.rejects(promise, (e) => {
    assert.equal(e.res?.status ?? e.status, status)
    return true
  })
}

async function login() {
  const c = await Client.authenticate({ tenant, user, password }, base)
  assert.equal(c.core.tenant, tenant)
  assert.equal((await c.user.current()).data.userName, user)
  const t = await Client.authenticateViaOAuthInternal({ user, password, tenant }, base)
  assert.equal((await t.user.current()).data.userName, user)
  await refused(401, Client.authenticate({ tenant, user, password: 'wrong' }, base))
  return c
}

async function binaries(c) {
  const data = randomBytes(200_000)
  const made = await c.inventoryBinary.create(data, { name: 'js.bin', type: 'c8y_JS', fileName: 'js.bin', fileType: 'application/x-js', c8y_Global: {} })
  assert.equal(made.res.status, 201)
  const { id, name, type, self } = made.data
  assert.match(id, /^\d+$/)
  assert.equal(name, 'js.bin')
  assert.equal(type, 'c8y_JS')
  assert.ok(self.endsWith('/inventory/binaries/' + id))
  const down = await c.inventoryBinary.download(id)
  assert.equal(down.status, 200)
  assert.deepEqual(await bytes(down), data)
  const list = await c.inventoryBinary.list({ pageSize: 5, withTotalPages: true })
  assert.equal(list.paging.pageSize, 5)
  assert.ok(list.paging.totalPages >= 1)
  const removed = await c.inventoryBinary.delete(id)
  assert.equal(removed.res.status, 204)
  await refused(404, c.inventory.detail(id))
}

async function paging(c) {
  for (let i = 0; i < 5; i++) await c.inventoryBinary.create(Buffer.from([i]), { name: 'page' + i, type: 'js_page' })
  const seen = []
  for (let page = await c.inventoryBinary.list({ pageSize: 2, type: 'js_page' }); ; page = await page.paging.next()) {
    seen.push(...page.data.map((o) => o.name))
    if (!page.paging.nextPage) break
  }
  assert.deepEqual(seen, ['page0', 'page1', 'page2', 'page3', 'page4'])
  const second = await c.inventory.list({ pageSize: 2, currentPage: 2, type: 'js_page' })
  assert.equal(second.paging.prevPage, 1)
  assert.equal((await second.paging.prev()).data.length, 2)
  const some = await c.inventory.list({ ids: (await c.inventory.list({ type: 'js_page', pageSize: 3 })).data.map((o) => o.id) })
  assert.equal(some.data.length, 3)
  const found = await c.inventory.listQuery({ __filter: { type: 'js_page', length: { __gt: 0 }, name: { __not: { __eq: 'it\'s (\\)' } } }, __orderby: [{ name: -1 }] }, { pageSize: 10 })
  assert.deepEqual(found.data.map((o) => o.name), ['page4', 'page3', 'page2', 'page1', 'page0'])
}

async function objects(c) {
  const parent = (await c.inventory.create({ name: 'js parent', c8y_IsDevice: {} })).data
  const child = (await c.inventory.create({ name: 'js child' })).data
  await c.inventory.childAdditionsAdd(child, parent)
  assert.equal((await c.inventory.childAdditionsList(parent)).data[0].id, child.id)
  await c.inventory.childAdditionsRemove(child, parent)
  assert.equal((await c.inventory.childAdditionsList(parent)).data.length, 0)
  const made = (await c.inventory.childAdditionsCreate({ name: 'js new' }, parent)).data
  assert.match(made.id, /^\d+$/)
  const changed = (await c.inventory.update({ id: parent.id, c8y_Notes: 'x' })).data
  assert.equal(changed.c8y_Notes, 'x')
  assert.equal((await c.inventory.delete(parent.id)).res.status, 204)
  return child
}

async function events(c, source) {
  const made = await c.event.create({ type: 'js_Event', text: 'made by JS', time: new Date().toISOString(), source: { id: source.id } })
  const id = made.data.id
  assert.equal(made.data.source.id, source.id)
  assert.equal((await c.event.list({ source: source.id })).data.length, 1)
  assert.equal((await c.event.update({ id, text: 'changed' })).data.text, 'changed')
  const eb = new EventBinaryService(c.core)
  const up = await eb.upload(Buffer.from('photo'), id)
  assert.equal(up.res.status, 201)
  assert.equal(String(up.data.source), id)
  const down = await eb.download(id)
  assert.equal((await bytes(down)).toString(), 'photo')
  assert.equal((await c.event.detail(id)).data.c8y_IsBinary.length, 5)
  assert.ok((await eb.delete(id)).res.status < 300)
  await refused(404, eb.download(id))
  assert.equal((await c.event.delete(id)).res.status, 204)
}

// Browsers must not show their own dialog: the client asks for another name of the scheme.
async function challenge() {
  const core = new FetchClient(new BasicAuth({ tenant, user: 'nobody', password: 'x' }), base)
  const res = await core.fetch('/inventory/binaries')
  assert.equal(res.status, 401)
  assert.match(res.headers.get('www-authenticate'), /^XBASIC /)
}

const c = await login()
await binaries(c)
await paging(c)
await events(c, await objects(c))
await challenge()
