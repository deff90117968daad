// Customer.io's Node clients: each of their calls once; then with a wrong key.
import customerio from 'customerio-node'

const { APIClient, SendEmailRequest, SendPushRequest, TrackClient } = customerio
const { SITE_KEY, SITE_PORT } = process.env
const options = { port: Number(SITE_PORT) }
const at = (minute) => Date.UTC(2025, 2, 4, 12, minute) / 1000

const makeTrack = (key) =>
  new TrackClient('shop', key, { ...options, url: 'https://localhost/api/v1' })
const caught = async (call) => {
  try {
    await call()
    return null
  } catch (error) {
    return { status: error.statusCode, message: error.message }
  }
}

const track = makeTrack(SITE_KEY)
await track.trackAnonymous('browser-1', { name: 'Browsed', timestamp: at(0) })
await track.identify('ada', {
  email: 'ada@example.com',
  created_at: at(0),
  anonymous_id: 'browser-1',
})
await track.track('ada', {
  name: 'Order Completed',
  data: { revenue: 42.5 },
  timestamp: at(1),
  id: 'said-1',
})
await track.trackPageView('ada', '/shop')
await track.addDevice('ada', 'token:1', 'ios', {
  last_used: at(3),
  device_locale: 'de-DE',
  push_enabled: 'true',
})
await track.addDevice('ada', 'token/2', 'android')
await track.deleteDevice('ada', 'token/2')
await track.identify('old ada/1', { email: 'old@example.com' })
await track.mergeCustomers('id', 'ada', 'email', 'old@example.com')
await track.identify('bob')
await track.suppress('bob')
await track.identify('eve')
await track.suppress('eve')
await track.unsuppress('eve')
await track.identify('gone')
await track.destroy('gone')

const app = new APIClient(SITE_KEY, { ...options, url: 'https://localhost/v1' })
const { results } = await app.getCustomersByEmail('ada@example.com')
const push = await app.sendPush(
  new SendPushRequest({
    identifiers: { cio_id: results[0].cio_id },
    transactional_message_id: 'order-shipped',
    message_data: { order_id: 'A-1' },
  })
)
console.log(
  JSON.stringify({
    results,
    push,
    badEvent: await caught(() => track.track('ada', { name: 'x'.repeat(201) })),
    badKey: await caught(() => makeTrack('wrong').identify('ada')),
    email: await caught(() =>
      app.sendEmail(
        new SendEmailRequest({
          identifiers: { id: 'ada' },
          to: 'ada@example.com',
          transactional_message_id: '3',
        })
      )
    ),
    // No such message was sent yet: the sender has not run.
    report: await caught(() =>
      track.trackPush({ delivery_id: push.delivery_id, event: 'opened' })
    ),
  })
)
