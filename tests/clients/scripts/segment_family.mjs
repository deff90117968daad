// Segment's Node client and those made from it; PACKAGE says which.
// Says each kind of call once, then once more with a wrong key.
import process from 'node:process'

const { PACKAGE, SITE_URL, SITE_KEY } = process.env
const module = await import(PACKAGE)
const Analytics = module.Analytics ?? module.default
const failed = []

// The newer clients take one object and report by events; the older ones take the
// key first and report to the callback of each call.
const isNew = PACKAGE.startsWith('@segment') || PACKAGE.startsWith('@customerio')

function makeClient(key) {
  if (!isNew) return new Analytics(key, { host: SITE_URL, errorHandler: () => {} })
  const client = new Analytics({ writeKey: key, host: SITE_URL, maxRetries: 1 })
  client.on('error', (error) => failed.push(String(error.reason?.message ?? error)))
  return client
}

const answered = []

function say(client, kind, message) {
  if (isNew) return client[kind](message)
  const answer = new Promise((resolve) => client[kind](message, resolve))
  answered.push(answer.then((error) => error && failed.push(error.message)))
}

async function finish(client) {
  if (isNew) return client.closeAndFlush({ timeout: 20_000 })
  // The first call of an older client is sent at once, the others on `flush`.
  await client.flush()
  await Promise.all(answered)
}

const at = (minute) => new Date(Date.UTC(2025, 2, 4, 12, minute))
const client = makeClient(SITE_KEY)
say(client, 'page', {
  anonymousId: 'browser-1',
  category: 'Shop',
  name: 'Pricing',
  properties: { path: '/pricing' },
  timestamp: at(1),
  messageId: 'said-page',
})
say(client, 'identify', {
  userId: 'ada',
  anonymousId: 'browser-1',
  traits: { email: 'ada@example.com', plan: 'pro', visits: 3 },
  timestamp: at(2),
  messageId: 'said-identify',
})
say(client, 'track', {
  userId: 'ada',
  event: 'Order Completed',
  properties: { order_id: 'A-1', revenue: 42.5, currency: 'eur' },
  context: { device: { token: 'token-1', type: 'ios' }, locale: 'de-DE' },
  timestamp: at(3),
  messageId: 'said-track',
})
say(client, 'screen', {
  userId: 'ada',
  name: 'Basket',
  timestamp: at(4),
  messageId: 'said-screen',
})
say(client, 'group', {
  userId: 'ada',
  groupId: 'acme',
  traits: { seats: 5 },
  timestamp: at(5),
  messageId: 'said-group',
})
say(client, 'alias', {
  previousId: 'old-ada',
  userId: 'ada',
  timestamp: at(6),
  messageId: 'said-alias',
})
await finish(client)
const heard = failed.splice(0)

const stranger = makeClient('wrong')
say(stranger, 'track', { userId: 'ada', event: 'Seen', messageId: 'unsaid' })
await finish(stranger)
console.log(JSON.stringify({ failed: heard, refused: failed }))
process.exit(0)
