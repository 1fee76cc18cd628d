import Foundation
import IsoDepCore
import LocalAuthentication
import Tauri
import UIKit

struct WatchArgs: Decodable {
  let channel: Channel
}

/// The way from Rust to the card. The page has no command that reaches it.
class IsoDepPlugin: Plugin {
  private let queue = DispatchQueue(label: "org.tapfill.isodep")
  private var channel: Channel?
  private lazy var field = NfcField(queue: queue)
  private lazy var desk: Desk = {
    let queue = self.queue
    let desk = Desk(
      field: field,
      after: { ms, work in queue.asyncAfter(deadline: .now() + .milliseconds(ms), execute: work) },
      tell: { [weak self] event in try? self?.channel?.send(event) })
    field.desk = desk
    return desk
  }()

  @objc public func watch(_ invoke: Invoke) throws {
    let args = try invoke.parseArgs(WatchArgs.self)
    queue.async { [self] in
      channel = args.channel
      desk.tellState()
      invoke.resolve()
    }
    // What there was at the start may be otherwise by then: iOS tells no changes of it.
    NotificationCenter.default.addObserver(
      forName: UIApplication.didBecomeActiveNotification, object: nil, queue: nil
    ) { [weak self] _ in
      self?.queue.async { self?.desk.tellState() }
    }
  }

  @objc public func begin(_ invoke: Invoke) throws {
    let args = try invoke.parseArgs(BeginArgs.self)
    queue.async { [self] in
      desk.begin(args) { result in
        switch result {
        case .success(let session): invoke.resolve(Begun(session: session))
        case .failure(let refused): invoke.reject(refused.code, code: refused.code)
        }
      }
    }
  }

  @objc public func transceive(_ invoke: Invoke) throws {
    let args = try invoke.parseArgs(TransceiveArgs.self)
    queue.async { [self] in
      desk.transceive(args) { result in
        switch result {
        case .success(let answer): invoke.resolve(answer)
        case .failure(let refused): invoke.reject(refused.code, code: refused.code)
        }
      }
    }
  }

  @objc public func release(_ invoke: Invoke) throws {
    let args = try invoke.parseArgs(ReleaseArgs.self)
    queue.async { [self] in
      desk.release(args.session, args.tag)
      invoke.resolve()
    }
  }

  @objc public func end(_ invoke: Invoke) throws {
    let args = try invoke.parseArgs(EndArgs.self)
    queue.async { [self] in
      desk.end(args.session)
      invoke.resolve()
    }
  }

  @objc public func screen(_ invoke: Invoke) throws {
    let args = try invoke.parseArgs(ScreenArgs.self)
    queue.async { [self] in field.language = args.language }
    DispatchQueue.main.async {
      UIApplication.shared.isIdleTimerDisabled = args.awake
      invoke.resolve()
    }
  }

  @objc public func code(_ invoke: Invoke) {
    invoke.resolve(Code(code: nil))
  }

  @objc public func confirm(_ invoke: Invoke) {
    queue.async { [self] in
      let words = Words.of(field.language, Locale.preferredLanguages)
      let context = LAContext()
      // Face, finger, or else the passcode.
      context.evaluatePolicy(.deviceOwnerAuthentication, localizedReason: words.confirm) { success, error in
        invoke.resolve(Confirmed.of(success, (error as NSError?)?.code))
      }
    }
  }

  @objc public func power(_ invoke: Invoke) {
    DispatchQueue.main.async {
      let device = UIDevice.current
      device.isBatteryMonitoringEnabled = true
      // Negative where iOS does not know.
      let level = device.batteryLevel < 0 ? 1 : device.batteryLevel
      let charging = device.batteryState != .unplugged
      invoke.resolve(Power(percent: Int(level * 100), charging: charging))
    }
  }
}

@_cdecl("init_plugin_iso_dep")
func initPlugin() -> Plugin {
  keepOutOfBackups()
  return IsoDepPlugin()
}
