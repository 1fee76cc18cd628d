// What crosses to Rust, under the same names as in crates/card-link (docs/mobile.md).

public struct BeginArgs: Decodable {
  public var transceiveMs: Int

  public init(transceiveMs: Int) {
    self.transceiveMs = transceiveMs
  }
}

public struct Begun: Encodable {
  public let session: UInt64

  public init(session: UInt64) {
    self.session = session
  }
}

/// One command, hexadecimal, and the beginnings of status words after which the next is sent; none: all.
public struct Order: Decodable {
  public let data: String
  public let goOn: [String]

  public init(data: String, goOn: [String] = []) {
    self.data = data
    self.goOn = goOn
  }
}

public struct TransceiveArgs: Decodable {
  public let session: UInt64
  public let tag: UInt64
  public let commands: [Order]

  public init(session: UInt64, tag: UInt64, commands: [Order]) {
    self.session = session
    self.tag = tag
    self.commands = commands
  }
}

public enum Stop: String, Encodable {
  case done
  case statusWord = "status-word"
  case tagLost = "tag-lost"
  case timeout
  case closed
  case io
}

/// The replies until the batch stopped, and why; and how long the card took for each.
public struct BatchAnswer: Encodable {
  public let replies: [String]
  public let stop: Stop
  public let ms: [Int]
}

/// A card that is given up.
public struct ReleaseArgs: Decodable {
  public let session: UInt64
  public let tag: UInt64
}

public struct EndArgs: Decodable {
  public let session: UInt64
}

/// What the phone tells by itself.
public struct PhoneEvent: Encodable, Equatable {
  public enum Kind: String, Encodable {
    case state, tag, lost, closed
  }

  public var kind: Kind
  public var session: UInt64 = 0
  public var tag: UInt64 = 0
  public var nfc: String?
  public var why: String?

  public init(
    _ kind: Kind, session: UInt64 = 0, tag: UInt64 = 0, nfc: String? = nil, why: String? = nil
  ) {
    self.kind = kind
    self.session = session
    self.tag = tag
    self.nfc = nfc
    self.why = why
  }
}

/// What the page needs of the screen around it.
public struct ScreenArgs: Decodable {
  /// iOS can't keep a screenshot from being made.
  public let secret: Bool
  public let awake: Bool
  /// `zh-CN`, `zh-TW` or `en` as it was chosen in the app, or none: the system's.
  public let language: String?
}

/// The code out of the bank's message: on iOS the keyboard offers it, and nobody else gets it.
public struct Code: Encodable {
  public let code: String?

  public init(code: String?) {
    self.code = code
  }
}

/// Whether the person proved that it is them: `yes`, `no`, or `unable` where the device has no way to ask.
public struct Confirmed: Encodable, Equatable {
  public let answer: String

  /// LAError's codes: -5 and -1004 and what else says that there is nothing to ask with.
  public static func of(_ success: Bool, _ code: Int?) -> Confirmed {
    if success { return Confirmed(answer: "yes") }
    let unable: Set<Int> = [-5, -6, -7, -1004]
    return Confirmed(answer: unable.contains(code ?? 0) ? "unable" : "no")
  }
}

public struct Power: Encodable {
  public let percent: Int
  public let charging: Bool

  public init(percent: Int, charging: Bool) {
    self.percent = percent
    self.charging = charging
  }
}
