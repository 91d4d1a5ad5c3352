// Opened from the disk, a page may start no worker; the search then runs in a hidden frame.
if (location.protocol === "file:") {
  const prepared = `<script>
    postMessage = (data) => parent.dispatchEvent(new MessageEvent("frame-worker", { data }));
    importScripts = (...urls) => urls.reduce((before, url) => before.then(() => new Promise((resolve) => {
      const script = document.createElement("script");
      script.src = url;
      script.addEventListener("load", resolve);
      document.body.appendChild(script);
    })), Promise.resolve());
  </` + `script>`;

  // The theme's worker looks for this name to find its files.
  window.IFrameWorker = class extends EventTarget {
    constructor(url) {
      super();
      this.url = url;
      this.waiting = [];
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.appendChild(this.frame);
      const inner = this.frame.contentDocument;
      inner.open();
      inner.write(`<!doctype html><body>${prepared}<script src="${url}"></` + `script>`);
      inner.close();
      this.frame.onload = () => {
        const waiting = this.waiting;
        this.waiting = null;
        waiting.forEach((data) => this.postMessage(data));
      };
      addEventListener("frame-worker", ({ data }) => this.dispatchEvent(new MessageEvent("message", { data })));
    }

    postMessage(data) {
      if (this.waiting) this.waiting.push(data);
      else this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data }));
    }

    terminate() {
      this.frame.remove();
    }
  };
  window.Worker = window.IFrameWorker;
}
