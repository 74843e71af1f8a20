// hand-written module-federation container, no build tools
(function () {
  'use strict';
  var W = {}; // filled in init() from the share scope
  function plugin() {
    return {
      id: 'linkspan-bar:plugin',
      autoStart: true,
      activate: function (app) {
        var bar = new W.Widget();
        bar.id = 'linkspan-bar';
        bar.node.setAttribute('role', 'status');
        bar.node.setAttribute('aria-label', 'Session');
        bar.node.style.cssText = 'padding:0 8px;line-height:28px;white-space:nowrap;font-variant-numeric:tabular-nums';
        app.shell.add(bar, 'top', { rank: 1000 });
        var missed = 0;
        function show(text) {
          // Only a changed text is announced by screen readers.
          if (bar.node.textContent !== text) bar.node.textContent = text;
        }
        function tick() {
          if (document.visibilityState === 'hidden') return;
          fetch('/.linkspan/status.json', { credentials: 'same-origin', cache: 'no-store' })
            .then(function (answer) {
              if (!answer.ok) throw new Error(String(answer.status));
              return answer.json();
            })
            .then(function (status) {
              missed = 0;
              show(String(status.text || ''));
            })
            .catch(function () {
              missed += 1;
              if (missed > 2) show('Linkspan does not answer; your work goes on');
            });
        }
        tick();
        setInterval(tick, 15000);
        document.addEventListener('visibilitychange', tick);

        // Human input, told at most once a minute: an open tab alone is no person.
        var told = 0;
        function here() {
          var now = Date.now();
          if (now - told < 60000) return;
          told = now;
          fetch('/.linkspan/here', { method: 'POST', credentials: 'same-origin', cache: 'no-store' }).catch(
            function () {
              told = 0;
            },
          );
        }
        ['keydown', 'pointerdown', 'wheel'].forEach(function (kind) {
          window.addEventListener(kind, here, { capture: true, passive: true });
        });
      },
    };
  }
  var exports = { __esModule: true, default: plugin() };
  var container = {
    init: function (scope) {
      var v = scope['@lumino/widgets'];
      var key = v && Object.keys(v)[0];
      if (!key) return Promise.resolve();
      return Promise.resolve(v[key].get()).then(function (f) {
        W.Widget = f().Widget;
      });
    },
    get: function (name) {
      if (name === './extension' || name === './index')
        return Promise.resolve(function () {
          return exports;
        });
      if (name === './style')
        return Promise.resolve(function () {
          return {};
        });
      return Promise.reject(new Error('no module ' + name));
    },
  };
  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB['linkspan-bar'] = container;
})();
