// In the page of PyVista's viewer: names its frame for screen readers, and keeps the camera for the next page of the same
// cell, which is loaded when the cell is cut, repeated or seen through otherwise.
(() => {
  const key = `relaxdesign-camera-${CELL}`;
  try {
    window.frameElement.title = "The cell in 3D; drag to turn it";
  } catch { /* a page of its own */ }
  let tries = 0;
  const timer = setInterval(() => {
    const view = window.renderWindow;
    const renderer = view?.getRenderers?.().find((each) => each.getActors().length);
    if (++tries > 300) clearInterval(timer);
    if (!renderer) return;
    clearInterval(timer);
    const camera = renderer.getActiveCamera();
    try {
      const kept = JSON.parse(sessionStorage.getItem(key));
      if (kept) {
        camera.setPosition(...kept.position);
        camera.setFocalPoint(...kept.focus);
        camera.setViewUp(...kept.up);
        renderer.resetCameraClippingRange();
        view.render();
      }
      camera.onModified(() => sessionStorage.setItem(key, JSON.stringify({
        position: camera.getPosition(), focus: camera.getFocalPoint(), up: camera.getViewUp(),
      })));
    } catch { /* without storage the camera starts where the scene puts it */ }
  }, 100);
})();
