// Browsers start no worker for a page from the file system. There, the search runs in a hidden frame.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(address) {
      super()
      this.frame = document.createElement("iframe")
      this.frame.hidden = true
      this.frame.srcdoc = `<script src="${new URL(address, location.href)}"><\/script>`
      this.isReady = new Promise((ready) => (this.frame.onload = ready))
      document.body.appendChild(this.frame)
      this.frame.contentWindow.postMessage = () => undefined
      this.isReady.then(() => {
        this.frame.contentWindow.postMessage = (data) => {
          const event = new MessageEvent("message", { data })
          this.dispatchEvent(event)
          if (this.onmessage) this.onmessage(event)
        }
      })
    }
    postMessage(data) {
      this.isReady.then(() => this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data })))
    }
    terminate() {
      this.frame.remove()
    }
  }
}
