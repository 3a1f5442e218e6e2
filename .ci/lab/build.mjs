// Bundles JupyterLab for the browser, from its npm packages: node build.mjs [manifest]
//
// With manifest it writes package.json from JupyterLab's own list of extensions (package @jupyterlab/core-meta, unpacked in ./package).
// Otherwise it bundles what is in ./node_modules into ./lab, which server.py serves.
import fs from 'node:fs'
import path from 'node:path'

const core = JSON.parse(fs.readFileSync('package/core.package.json'))

// These ask Debian's server for what it does not have: terminals, extensions to install.
const without = ['terminal', 'extensionmanager', 'pluginmanager', 'hub'].map(n => `@jupyterlab/${n}-extension`)

if (process.argv[2] === 'manifest') {
  const overrides = Object.fromEntries(Object.entries(core.resolutions).filter(([name]) => !(name in core.dependencies)))
  const dependencies = { ...core.dependencies, esbuild: '0.25.12' }
  fs.writeFileSync('package.json', JSON.stringify({ private: true, dependencies, overrides }, null, 1))
  process.exit()
}

const { build } = await import(path.resolve('node_modules/esbuild/lib/main.js'))
const folder = name => path.join('node_modules', name)
const manifest = name => JSON.parse(fs.readFileSync(path.join(folder(name), 'package.json')))
const modules = list => Object.entries(list).filter(([name]) => !without.includes(name)).map(([name, file]) => ({ name, from: file ? `${name}/${file}` : name }))
const extensions = modules(core.jupyterlab.extensions)
const renderers = modules(core.jupyterlab.mimeExtensions)

fs.rmSync('lab', { recursive: true, force: true })
const themes = {}
for (const { name } of [...extensions, ...renderers]) {
  const { schemaDir, themePath } = manifest(name).jupyterlab ?? {}
  if (typeof schemaDir === 'string') fs.cpSync(path.join(folder(name), schemaDir), path.join('lab/schemas', name), { recursive: true })
  if (themePath) themes[`${name}/index`] = path.join(folder(name), themePath)
}

const styles = [...new Set([...extensions, ...renderers].map(m => m.name))].flatMap(name => {
  const { style, styleModule } = manifest(name)
  return styleModule || style ? [`import '${name}/${styleModule ?? style}'`] : []
})
const plugins = (list, prefix) => list.map((m, i) => `import ${prefix}${i} from '${m.from}'`)
const names = (list, prefix) => list.map((_, i) => prefix + i).join(', ')
fs.writeFileSync('entry.js', `
import { JupyterLab } from '@jupyterlab/application'
import { IServiceManager } from '@jupyterlab/services'
import { PluginRegistry } from '@lumino/coreutils'
${styles.join('\n')}
${plugins(extensions, 'plugin').join('\n')}
${plugins(renderers, 'renderer').join('\n')}
async function start() {
  const pluginRegistry = new PluginRegistry()
  pluginRegistry.registerPlugins([${names(extensions, 'plugin')}].flat())
  const serviceManager = await pluginRegistry.resolveRequiredService(IServiceManager)
  const lab = new JupyterLab({ pluginRegistry, serviceManager, mimeExtensions: [${names(renderers, 'renderer')}] })
  await lab.start()
  await lab.restored
  window.lab = lab
}
start().catch(e => { window.labError = String(e.stack ?? e) })
`)

// A picture that a style names becomes a data URL; one that a program imports is the text of an icon.
const pictures = {
  name: 'pictures',
  setup(b) {
    b.onResolve({ filter: /\.(svg|png|gif|woff2?|ttf|eot)([?#].*)?$/ }, a => {
      if (a.kind !== 'url-token') return
      const file = a.path.replace(/[?#].*/, '')
      return { path: file.startsWith('~') ? path.resolve('node_modules', file.slice(1)) : path.resolve(a.resolveDir, file), namespace: 'picture' }
    })
    b.onLoad({ filter: /.*/, namespace: 'picture' }, a => ({ contents: fs.readFileSync(a.path), loader: 'dataurl' }))
    b.onResolve({ filter: /^~/ }, a => b.resolve(a.path.slice(1), { kind: a.kind, resolveDir: path.resolve('.') }))
  },
}

// Node's modules, which some packages name for the case that they run in Node.
const node = {
  name: 'node',
  setup(b) {
    const filter = /^(node:)?(buffer|child_process|crypto|fs|http|https|os|path|process|querystring|stream|tty|url|util|zlib)$/
    b.onResolve({ filter }, a => a.path === 'path' ? { path: path.resolve('node_modules/path-browserify/index.js') } : { path: a.path, namespace: 'absent' })
    b.onLoad({ filter: /.*/, namespace: 'absent' }, () => ({ contents: 'export default {}' }))
  },
}

// On a change of the theme, the design tokens of the toolbars' buttons set each other off without end, which stops the page. The buttons do without.
const tokens = {
  name: 'tokens',
  setup: b => b.onLoad({ filter: /web-components.dist.esm.utilities.theme.applyTheme\.js$/ }, () => ({
    contents: 'export const applyJupyterTheme = () => {}, addJupyterLabThemeChangeListener = () => {}',
  })),
}

await build({
  entryPoints: { lab: 'entry.js' }, bundle: true, splitting: true, format: 'esm', outdir: 'lab/static', logLevel: 'error',
  plugins: [pictures, node, tokens], loader: { '.svg': 'text', '.md': 'text', '.raw': 'text' },
  define: { 'process.env': '{}', 'process.env.NODE_ENV': '"production"', global: 'globalThis' },
})
await build({ entryPoints: themes, bundle: true, outdir: 'lab/themes', logLevel: 'error', plugins: [pictures] })
fs.writeFileSync('lab/static/index.html', `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>JupyterLab</title>
<script id="jupyter-config-data" type="application/json">{{ dict(page_config, baseUrl=base_url, wsUrl=ws_url) | tojson }}</script>
<link rel="stylesheet" href="{{ page_config['fullStaticUrl'] | e }}/lab.css">
<script type="module" src="{{ page_config['fullStaticUrl'] | e }}/lab.js"></script></head><body></body></html>
`)
console.log(`JupyterLab ${core.version}: ${extensions.length} extensions, ${renderers.length} renderers`)
