// A module-federation container written by hand, so that no build tool is needed: shows the session's time left in
// Lab's top bar, and tells the gateway that a person is here.
(function () {
  'use strict';
  var pollMilliseconds = 15000;
  var hereMilliseconds = 60000;
  var lumino = {}; // filled in by init() from the share scope

  /** @returns '2 h 05 min left' and the like, or '' when no end is known */
  function timeLeft(endsAt, now) {
    var end = typeof endsAt === 'number' ? endsAt : Date.parse(endsAt || '');
    if (!isFinite(end)) return '';
    var minutes = Math.max(0, Math.floor((end - now) / 60000));
    if (minutes < 1) return 'less than 1 min left';
    if (minutes < 60) return minutes + ' min left';
    if (minutes < 2880) return Math.floor(minutes / 60) + ' h ' + String(minutes % 60).padStart(2, '0') + ' min left';
    return Math.floor(minutes / 1440) + ' days left';
  }

  function activate(app) {
    var bar = new lumino.Widget();
    var node = bar.node;
    bar.id = 'linkspan-bar';
    node.setAttribute('role', 'status');
    node.setAttribute('aria-label', 'Linkspan session');
    node.style.cssText = 'padding:0 8px;line-height:28px;white-space:nowrap;font-variant-numeric:tabular-nums';
    app.shell.add(bar, 'top', { rank: 1000 });

    var missed = 0;
    function show(text) {
      // Only a changed text is announced by screen readers.
      if (node.textContent !== text) node.textContent = text;
    }
    function look() {
      if (document.visibilityState === 'hidden') return;
      fetch('/.linkspan/status.json', { credentials: 'same-origin', cache: 'no-store' })
        .then(function (answer) {
          if (answer.status === 401 || answer.status === 403 || answer.status === 410) return undefined;
          if (!answer.ok) throw new Error(String(answer.status));
          return answer.json();
        })
        .then(function (status) {
          missed = 0;
          if (status === undefined) return show('Session ended, or logged out: reload the page');
          node.dataset.state = String(status.state || '');
          show(String(status.text || timeLeft(status.endsAt, Date.now())));
        })
        .catch(function () {
          missed += 1;
          if (missed > 2) show('Linkspan does not answer; your work goes on');
        });
    }
    look();
    setInterval(look, pollMilliseconds);
    document.addEventListener('visibilitychange', look);

    // Human input, told at most once a minute: an open tab alone is no person.
    var told = -Infinity;
    function here() {
      var now = performance.now();
      if (now - told < hereMilliseconds) return;
      told = now;
      fetch('/.linkspan/here', { method: 'POST', credentials: 'same-origin', cache: 'no-store' }).catch(function () {
        told = -Infinity;
      });
    }
    ['keydown', 'pointerdown', 'wheel'].forEach(function (kind) {
      window.addEventListener(kind, here, { capture: true, passive: true });
    });
  }

  var exported = {
    __esModule: true,
    default: { id: 'linkspan-bar:plugin', autoStart: true, activate: activate },
    timeLeft: timeLeft,
  };
  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB['linkspan-bar'] = {
    init: function (scope) {
      var versions = scope['@lumino/widgets'];
      var version = versions && Object.keys(versions)[0];
      if (!version) return Promise.resolve();
      return Promise.resolve(versions[version].get()).then(function (factory) {
        lumino.Widget = factory().Widget;
      });
    },
    get: function (name) {
      var module = name === './extension' || name === './index' ? exported : name === './style' ? {} : undefined;
      if (module === undefined) return Promise.reject(new Error('no module ' + name));
      return Promise.resolve(function () {
        return module;
      });
    },
  };
})();
