import Foundation

/// The radio and its sheet: Core NFC, or a fake of it.
public protocol Field: AnyObject {
  /// `on` or `none`: iOS has no switch for it.
  var state: String { get }

  /// Shows the sheet; `Desk.opened` or `Desk.closed` says how that went.
  func open()

  /// Looks for the next card under the same sheet.
  func pollAnew()

  func close()
}

/// One session at a time with one card at a time. No class of the system in here; every call comes on one serial queue.
///
/// A card whose outcome became unknown is given up and the sheet looks anew, so that the next contact is a new tag.
public final class Desk {
  private let field: Field
  private let after: (Int, @escaping () -> Void) -> Void
  private let tell: (PhoneEvent) -> Void
  private var session: UInt64?
  private var sessions: UInt64 = 0
  private var opening: ((Result<UInt64, Refused>) -> Void)?
  private var card: Card?
  private var tags: UInt64 = 0
  private var batch: Batch?
  private var transceiveMs = 5_000

  public init(
    field: Field, after: @escaping (Int, @escaping () -> Void) -> Void,
    tell: @escaping (PhoneEvent) -> Void
  ) {
    self.field = field
    self.after = after
    self.tell = tell
  }

  /// Asks the system anew, and tells; a sheet that is open says by itself how it ends.
  public func tellState() {
    guard session == nil && opening == nil else { return }
    tell(PhoneEvent(.state, nfc: field.state))
  }

  public func begin(
    _ options: BeginArgs, _ answer: @escaping (Result<UInt64, Refused>) -> Void
  ) {
    guard field.state == "on" else { return answer(.failure(Refused(field.state))) }
    guard session == nil && opening == nil else { return answer(.failure(Refused("busy"))) }
    transceiveMs = options.transceiveMs
    opening = answer
    field.open()
  }

  /// The sheet is on the screen.
  public func opened() {
    guard let answer = opening else { return }
    opening = nil
    sessions += 1
    session = sessions
    answer(.success(sessions))
  }

  /// The sheet is gone, or never came; `code` is Core NFC's.
  public func closed(_ code: Int) {
    let why = reason(code)
    if let answer = opening {
      opening = nil
      return answer(.failure(Refused(why)))
    }
    guard let session = session else { return }
    self.session = nil
    card = nil
    batch?.stop(.closed)
    tell(PhoneEvent(.closed, session: session, why: why))
  }

  /// A card came, and is connected.
  public func found(_ card: Card) {
    guard let session = session else { return }
    self.card = card
    tags += 1
    tell(PhoneEvent(.tag, session: session, tag: tags))
  }

  public func transceive(
    _ args: TransceiveArgs, _ answer: @escaping (Result<BatchAnswer, Refused>) -> Void
  ) {
    guard batch == nil else { return answer(.failure(Refused("busy"))) }
    guard session == args.session else {
      return answer(.success(BatchAnswer(replies: [], stop: .closed, ms: [])))
    }
    guard let card = card, tags == args.tag else {
      return answer(.success(BatchAnswer(replies: [], stop: .tagLost, ms: [])))
    }
    let batch = Batch(card: card, commands: args.commands) { [self] result in
      self.batch = nil
      settle(card, result.stop)
      answer(.success(result))
    }
    self.batch = batch
    // Core NFC itself waits for as long as the card likes.
    after(transceiveMs * max(args.commands.count, 1)) { batch.stop(.timeout) }
    batch.run()
  }

  /// Rust gave this card up: the next contact is a new tag. One that is gone already is no error.
  public func release(_ session: UInt64, _ tag: UInt64) {
    guard self.session == session, tags == tag, card != nil else { return }
    batch?.stop(.closed)
    startOver(session)
  }

  public func end(_ session: UInt64) {
    guard self.session == session else { return }
    self.session = nil
    card = nil
    batch?.stop(.closed)
    field.close()
  }

  private func settle(_ card: Card, _ stop: Stop) {
    let unknown = stop == .tagLost || stop == .timeout || stop == .io
    guard unknown, self.card === card, let session = session else { return }
    startOver(session)
  }

  private func startOver(_ session: UInt64) {
    card = nil
    tell(PhoneEvent(.lost, session: session, tag: tags))
    field.pollAnew()
  }
}

/// A command that can't be done now; the code is all that comes through to Rust.
public struct Refused: Error, Equatable {
  public let code: String

  public init(_ code: String) {
    self.code = code
  }
}

/// NFCReaderError's codes of a session that ended.
func reason(_ code: Int) -> String {
  switch code {
  case 200: return "cancelled"
  case 201: return "time-out"
  case 203: return "busy"
  default: return "system"
  }
}

/// NFCReaderError's codes of a command that failed.
public func failure(_ code: Int) -> CardFailure {
  switch code {
  case 100, 104: return .gone
  case 103, 200, 201, 202, 203: return .closed
  default: return .radio
  }
}
