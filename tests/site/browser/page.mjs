// tests/site/browser/page.mjs DIR CHROMIUM PLAN.html HOSTILE.html [URL [KEY-URL KEY]] - the page of `tutti cluster draw` in a real browser: looks,
// moves, finds, tells, keeps itself up to date; hostile names stay text.  DIR has node_modules/playwright-core.  Prints TAP lines.
import { createRequire } from 'module';
import fs from 'fs';
import path from 'path';
const [dir, exe, plan, hostile, url, lockedUrl, key] = process.argv.slice(2);
const { chromium } = createRequire(dir + '/')('playwright-core');
let failed = 0;
const check = (is, name, more = '') => { if (!is) { failed++; console.log('# ' + more); } console.log((is ? 'ok - ' : 'not ok - ') + name); };
const browser = await chromium.launch({ executablePath: exe, args: ['--no-sandbox'] });
async function open(where, width, height, more = {}) {
  const page = await browser.newPage({ viewport: { width, height }, ...more });
  page.complaints = [];
  page.on('console', m => { if (['error', 'warning'].includes(m.type())) page.complaints.push(m.text()); });
  page.on('pageerror', e => page.complaints.push(e.message));
  page.on('dialog', d => { page.complaints.push('dialog ' + d.message()); d.dismiss(); });
  page.on('request', r => { if (!r.url().startsWith('data:')) (page.asked ||= []).push(r.url()); });
  await page.goto(where.startsWith('http') ? where : 'file://' + where);
  return page;
}
const box = page => page.evaluate(() => { const v = [...document.querySelectorAll('section:not([hidden]) svg.tt')].find(s => s.getBoundingClientRect().width > 0); return v.getAttribute('viewBox').split(' ').map(Number); });

{
  const page = await open(plan, 1440, 900);
  check(page.asked.length === 1, 'the page asks for nothing but itself', page.asked.join(' '));
  const before = await box(page);
  await page.click('#in');
  const zoomed = await box(page);
  check(zoomed[2] < before[2] * 0.9, 'the button zooms', before + ' ' + zoomed);
  await page.mouse.move(700, 500);
  await page.keyboard.down('Control'); await page.mouse.wheel(0, 300); await page.keyboard.up('Control');
  check((await box(page))[2] > zoomed[2], 'the wheel with Ctrl zooms out');
  await page.keyboard.press('0');
  check(JSON.stringify(await box(page)) === JSON.stringify(before), '0 puts everything back');
  await page.mouse.wheel(0, 120);
  check((await box(page))[1] > before[1], 'the wheel scrolls');
  await page.keyboard.press('0');
  await page.mouse.move(60, 850); await page.mouse.down(); await page.mouse.move(160, 700, { steps: 4 }); await page.mouse.up();
  check((await box(page))[1] > before[1] && (await box(page))[0] < before[0], 'dragging the ground moves the picture');
  await page.keyboard.press('0');
  const node = page.locator('svg.wide[data-what=topology] .node').nth(1), at = await node.boundingBox(), link = 'svg.wide [data-k="' + await node.getAttribute('data-n') + '"]';
  const d = await page.getAttribute(link, 'd');
  await page.mouse.move(at.x + 60, at.y + 20); await page.mouse.down(); await page.mouse.move(at.x + 200, at.y + 60, { steps: 5 }); await page.mouse.up();
  const moved = await node.boundingBox();
  check(Math.abs(moved.x - at.x - 140) < 3 && Math.abs(moved.y - at.y - 40) < 3, 'a machine is dragged', JSON.stringify([at, moved]));
  check(await page.getAttribute(link, 'd') !== d, 'its line follows');
  check(await page.locator('aside').isHidden(), 'dragging opens nothing');
  await page.keyboard.press('0');
  check(await page.getAttribute(link, 'd') === d, 'and goes back');
  await page.locator('svg.wide[data-what=topology] .node.head').click({ position: { x: 40, y: 20 } });
  check(await page.locator('aside').isVisible() && (await page.textContent('aside dl')).includes('head node'), 'a click shows details', await page.textContent('aside'));
  await page.keyboard.press('Escape');
  check(await page.locator('aside').isHidden(), 'Escape closes them');
  await page.fill('#q', 'coral');
  check(await page.locator('svg.wide[data-what=topology] .node.hit').count() === 1, 'search finds the machine with the stick');
  check(await page.locator('svg.wide[data-what=topology] .node.dim').count() > 0, 'and dims the others');
  await page.press('#q', 'Enter');
  check(await page.locator('aside').isVisible(), 'Enter goes to the first');
  await page.press('#q', 'Escape');
  check(await page.locator('.dim').count() === 0, 'Escape ends the search');
  await page.locator('svg.wide[data-what=topology] .pill').first().focus();
  await page.keyboard.press('Enter');
  check(await page.locator('aside').isVisible(), 'the keyboard opens details');
  for (const what of ['experts', 'cascade']) {
    await page.click('nav button[data-what=' + what + ']');
    check(await page.locator('section[data-what=' + what + '] svg.wide').isVisible() && await page.locator('section[data-what=topology]').isHidden(), 'the tab shows ' + what);
  }
  check(page.complaints.length === 0, 'no complaint in the console', page.complaints.join('; '));
  await page.close();
}
{
  const page = await open(plan, 390, 844, { hasTouch: true, isMobile: true, colorScheme: 'dark' });
  check(await page.locator('svg.narrow[data-what=topology]').isVisible() && await page.locator('svg.wide[data-what=topology]').isHidden(), 'a phone gets the narrow picture');
  check(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing sticks out on a phone');
  await page.locator('svg.narrow[data-what=topology] .pill').first().tap();
  check(await page.locator('aside').isVisible(), 'a tap shows details');
  const cdp = await page.context().newCDPSession(page), before = await box(page);
  await cdp.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints: [{ x: 150, y: 300, id: 1 }, { x: 250, y: 300, id: 2 }] });
  await cdp.send('Input.dispatchTouchEvent', { type: 'touchMove', touchPoints: [{ x: 100, y: 300, id: 1 }, { x: 300, y: 300, id: 2 }] });
  await cdp.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
  check((await box(page))[2] < before[2] * 0.8, 'two fingers zoom', before + ' ' + await box(page));
  check(page.complaints.length === 0, 'no complaint on a phone', page.complaints.join('; '));
  await page.close();
}
{
  const page = await open(hostile, 1200, 900);
  for (const e of await page.locator('svg.wide[data-what=topology] .node').all()) await e.click({ position: { x: 30, y: 20 }, force: true });
  for (const what of ['experts', 'cascade']) { await page.click('nav button[data-what=' + what + ']'); await page.fill('#q', '<script>'); }
  check(await page.evaluate(() => !document.querySelector('img,iframe,object,[onerror],[onload]') && document.scripts.length === 2 && !window.owned), 'hostile names stay text');
  check((await page.textContent('aside')).includes('<'), 'and are shown as they are');
  const wide = await page.evaluate(() => { // what is drawn in a card lies in the card
    document.querySelectorAll('section').forEach(s => { s.hidden = false; });
    const out = [];
    for (const g of document.querySelectorAll('svg.wide .node, svg.wide .want, svg.wide .box')) {
      const r = g.querySelector(':scope>.card').getBBox();
      for (const t of g.querySelectorAll('text')) { const b = t.getBBox(); if (b.width > 0 && (b.x < r.x - 2 || b.x + b.width > r.x + r.width + 2)) out.push(t.textContent.slice(0, 40)); }
    }
    return out;
  });
  check(wide.length === 0, 'no name leaves its card', wide.join(' | '));
  check(page.complaints.length === 0, 'no complaint with hostile names', page.complaints.join('; '));
  await page.close();
}
if (url) {
  const page = await open(url + '/topology', 1280, 800);
  await page.waitForFunction(() => document.querySelector('#status').className === 'on');
  const seen = page.asked.length;
  await page.waitForFunction(n => performance.getEntriesByType('resource').filter(e => e.name.endsWith('/topology.json')).length >= n, 3);
  check(page.asked.every(u => u.startsWith(url)) && page.asked.length > seen, 'a served page keeps asking its node, and nobody else', page.asked.join(' '));
  const name = await page.evaluate(() => JSON.parse(document.querySelector('#data').textContent).experts[0].name);
  await page.route('**/topology.json', async route => { const r = await route.fetch(), j = await r.json(); j.nodes[0].line = 'load 77 %'; j.experts[0].state = 'busy'; await route.fulfill({ json: j }); });
  await page.waitForSelector('svg.wide .pill.s-busy');
  await page.waitForFunction(() => [...document.querySelectorAll('svg.wide [data-v=line]')].some(g => g.textContent.includes('load 77 %')));
  check(true, 'what changes is drawn: ' + name);
  await page.unroute('**/topology.json');
  await page.route('**/topology.json', route => route.abort());
  await page.waitForFunction(() => document.querySelector('#status').className === 'off');
  check(true, 'a node that is silent is said to be');
  await page.unroute('**/topology.json');
  await page.waitForFunction(() => document.querySelector('#status').className === 'on');
  check(page.complaints.filter(c => !c.includes('ERR_FAILED')).length === 0, 'the policy lets the page work, and it complains of nothing', page.complaints.join('; '));
  await page.close();
}
if (lockedUrl) {
  const page = await open(lockedUrl + '/topology', 1280, 800);
  check(await page.locator('#key').isVisible() && await page.locator('svg').count() === 0, 'with keys a browser is asked for one, and sees nothing');
  await page.fill('#k', 'wrong-key-wrong'); await page.press('#k', 'Enter');
  await page.waitForFunction(() => document.querySelector('#status').textContent.includes('not known'));
  await page.fill('#k', key); await page.press('#k', 'Enter');
  await page.waitForSelector('svg.wide .node');
  check(true, 'the right key opens it');
  await page.close();
}
const mermaid = dir + '/node_modules/mermaid/dist/mermaid.min.js';
if (fs.existsSync(mermaid)) { // every .mmd beside the pages
  const page = await browser.newPage(), files = fs.readdirSync(path.dirname(plan)).filter(f => f.endsWith('.mmd'));
  await page.addScriptTag({ path: mermaid });
  const wrong = [];
  for (const f of files) {
    const why = await page.evaluate(async text => { try { mermaid.initialize({ startOnLoad: false, securityLevel: 'strict' }); return (await mermaid.render('x', text)).svg.includes('<script') ? 'a script' : ''; } catch (e) { return e.message; } },
      fs.readFileSync(path.join(path.dirname(plan), f), 'utf8'));
    if (why) wrong.push(f + ': ' + why);
  }
  check(files.length > 0 && wrong.length === 0, 'Mermaid draws every .mmd', wrong.join('; '));
  await page.close();
}
await browser.close();
process.exit(failed ? 1 : 0);
