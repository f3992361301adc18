// The page of `byteface serve`: sends photos, frames and forms, and shows the HTML that comes back.
'use strict'

const $ = id => document.getElementById(id)
let photos = [] // Those on the page, to be asked again after a change
let chosen = null // The threshold of the slider; null: the gallery's own
let stream = null

function say(text, problem = false) {
  $('status').textContent = text
  $('status').className = problem ? 'problem' : ''
}

async function ask(path, body) {
  const answer = await fetch(path, {method: body === undefined ? 'GET' : 'POST', body, headers: {Accept: 'text/html'}})
  const text = await answer.text()
  if (!answer.ok) throw new Error(answer.headers.get('content-type').includes('json') ? JSON.parse(text).error : text)
  return text
}

async function trying(f) {
  try { return await f() } catch (e) { say(e.message, true) }
}

function parsed(html) {
  const holder = document.createElement('template')
  holder.innerHTML = html
  return holder.content
}

// Photos

async function identify(photo) {
  const query = chosen === null ? '' : `?threshold=${chosen}`
  const view = parsed(await ask(`identify${query}`, photo)).firstElementChild
  const image = view.querySelector('.photo img')
  image.src = URL.createObjectURL(photo)
  image.onload = () => URL.revokeObjectURL(image.src)
  return view
}

async function show() {
  const views = []
  for (const [i, photo] of photos.entries()) {
    say(`Looking for faces in photo ${i + 1} of ${photos.length} …`)
    const view = await trying(() => identify(photo))
    if (view) views.push(view)
  }
  $('answers').replaceChildren(...views)
  if (views.length) say(views.map(v => v.dataset.summary).join(' '))
}

async function look(files) {
  photos = [...files]
  if (photos.length) await show()
}

$('file').addEventListener('change', e => look(e.target.files))
document.addEventListener('paste', e => look(e.clipboardData.files))
document.addEventListener('dragover', e => { e.preventDefault(); $('drop').classList.add('over') })
document.addEventListener('dragleave', () => $('drop').classList.remove('over'))
document.addEventListener('drop', e => {
  e.preventDefault()
  $('drop').classList.remove('over')
  look(e.dataTransfer.files)
})

// Changes of the gallery

async function change(form) {
  const fields = form.method === 'post' ? new URLSearchParams(new FormData(form)) : undefined
  const view = await ask(form.getAttribute('action'), fields)
  const open = form.closest('section').id
  $('gallery').innerHTML = view
  prepare()
  await show()
  say($('gallery').querySelector('[data-done]').dataset.done)
  $(`${open}-title`).focus()
}

document.addEventListener('submit', e => {
  e.preventDefault()
  trying(() => change(e.target))
})

// The threshold

function preparePoint(rates) {
  const at = rates[$('slider').value]
  $('cost').textContent = $('slider').ariaValueText = at.text
  $('rate').value = at.fpir
  for (const end of ['x1', 'x2']) $('here').setAttribute(end, at.x)
  return at
}

function prepare() {
  chosen = null
  if (!$('slider')) return
  const rates = JSON.parse($('slider').dataset.rates)
  $('slider').addEventListener('input', () => { chosen = preparePoint(rates).threshold })
  $('slider').addEventListener('change', show)
}

// The camera

function frame() {
  const video = $('video'), canvas = document.createElement('canvas')
  canvas.width = video.videoWidth
  canvas.height = video.videoHeight
  canvas.getContext('2d').drawImage(video, 0, 0)
  return new Promise(done => canvas.toBlob(done, 'image/jpeg', 0.9))
}

async function follow() {
  const query = chosen === null ? '' : `&threshold=${chosen}`
  const view = parsed(await ask(`identify?live=true${query}`, await frame())).firstElementChild
  if (!stream) return
  $('marks').replaceWith(Object.assign(view.querySelector('svg'), {id: 'marks'}))
  if ($('seen').textContent !== view.dataset.summary) $('seen').textContent = view.dataset.summary
}

async function start() {
  if (!navigator.mediaDevices) throw new Error('The browser gives its camera to pages of this computer or with https only.')
  stream = await navigator.mediaDevices.getUserMedia({video: {width: {ideal: 640}, facingMode: 'user'}})
  $('video').srcObject = stream
  await $('video').play()
  $('camera').hidden = false
  $('start').textContent = 'Stop the camera'
  while (stream) document.hidden ? await new Promise(done => setTimeout(done, 300)) : await follow()
}

function stop() {
  stream?.getTracks().forEach(track => track.stop())
  stream = null
  $('camera').hidden = true
  $('start').textContent = 'Use the camera'
}

$('start').addEventListener('click', () => stream ? stop() : start().catch(e => { stop(); say(e.message, true) }))
$('snap').addEventListener('click', () => trying(async () => look([await frame()])))

prepare()
